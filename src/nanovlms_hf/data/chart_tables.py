"""The table behind a chart, and the two texts a model may write it in: Markdown and a python dict."""

from dataclasses import dataclass, field

Cell = str | int | float | None


@dataclass(frozen=True)
class ChartTable:
    """What a chart says.

    Attributes:
        title (`str`): the line above the chart.
        measure (`str`): what the values are, with their unit, such as `Plums (kg)`; where there is one series, also its column.
        columns (`tuple[str, ...]`): header of the labels (empty for a pie, which has none), then one header a series.
        rows (`tuple[tuple, ...]`): the label, then a value for each series; None where there is none.
        numeric_labels (`bool`, defaults to `False`): the labels are numbers to be measured (the x of a scatter chart), not names.
    """

    title: str
    measure: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numeric_labels: bool = field(default=False, compare=False)

    def markdown(self) -> str:
        """The table as Markdown: title as a heading, the measure on a line of its own if there are several series."""
        lines = [f"# {self.title}", ""] if self.title else []
        if self.measure and self.columns[1:] != (self.measure,):
            lines += [self.measure, ""]
        table = [self.columns, ("---",) * len(self.columns), *self.rows]
        lines += ["| " + " | ".join(_cell_text(cell) for cell in row) + " |" for row in table]
        return "\n".join(lines)

    def as_dict(self) -> dict:
        """The table as a dict: `title`, `names` (what the labels are, left out of a pie), `measure` and `values`.

        `values` maps a label to its number; where there are several series, a series to such a mapping.
        """
        series = {
            name: {row[0]: row[place] for row in self.rows} for place, name in enumerate(self.columns[1:], start=1)
        }
        names = {"names": self.columns[0]} if self.columns[0] else {}
        values = next(iter(series.values())) if len(series) == 1 else series
        return {"title": self.title, **names, "measure": self.measure, "values": values}

    def python_dict(self) -> str:
        """The text of `as_dict`, as python writes it on one line; `ast.literal_eval` reads it back."""
        return repr(self.as_dict())


def _cell_text(cell: Cell) -> str:
    return "" if cell is None else str(cell).replace("|", "\\|")


__all__ = ["Cell", "ChartTable"]
