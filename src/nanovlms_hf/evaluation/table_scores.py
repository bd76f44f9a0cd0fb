"""How much of a table a model read: precision, recall and F1 over cells, after DePlot's relative mapping similarity.

DePlot (arXiv 2212.10505, section 3) takes a table for a set of entries (row label, column label, value), in no order. Two
entries are as alike as their labels are times as their values are:

    labels  1 - d, d the normalised edit distance (Levenshtein's, over the longer length), and 0 if d is above a threshold
    numbers 1 - min(1, |prediction - truth| / |truth|), and 0 if that distance is above a threshold
    text    as labels

Entries are matched one to one so that their labels are most alike; among equally good matchings, so that their values are.
With s the sum over matched pairs, precision is s / predicted entries, recall s / true entries. The prediction and its
transpose are both scored and the better one counts.

Two things differ from the paper. It joins row and column label into one text before comparing, so that a long column name
common to all hides a wrong row label; here the two are compared one by one and multiplied. And where the labels are numbers
(the x of a scatter chart) they are compared as numbers.
"""

import ast
import math
import re
import warnings
from collections.abc import Iterable
from typing import Protocol

import numpy as np
from rapidfuzz.distance import Levenshtein

from ..data.chart_tables import Cell, ChartTable

MAX_CHARACTERS = 20_000
MAX_CELLS = 400
_MAX_DEPTH = 8
_EMPTY = ChartTable("", "", (), ())
_NUMBER = re.compile(r"[$€£¥]?\s*([+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,15})?(\.[0-9]{1,15})?)\s*%?")
_DELIMITER = re.compile(r":?-+:?")
_BAR = re.compile(r"(?<!\\)\|")


class HasTable(Protocol):
    """What has a table: a `ChartTable`, or a `Chart` through its `table`."""

    table: ChartTable


def read_number(text: str) -> int | float | None:
    """The number a text is, commas in thousands, a currency sign before and a per cent sign after it allowed; else None."""
    match = _NUMBER.fullmatch(text.strip())
    digits = match.group(1).replace(",", "") if match else ""
    if not any(character.isdigit() for character in digits):
        return None
    return float(digits) if match.group(2) else int(digits)


def _read_cell(text: str) -> Cell:
    number = read_number(text)
    return number if number is not None else text.strip() or None


def parse_markdown_table(text: str) -> ChartTable:
    """Reads the first Markdown table of a text, with the heading and the line of measure above it, if any.

    A missing delimiter row and rows that are too short or too long are forgiven, since models cut texts off.

    Args:
        text (`str`): what a model wrote.

    Returns:
        `ChartTable`: labels are texts, values numbers where they read as such and None where empty; a table without columns
        and rows if the text holds none, or is longer than 20,000 characters or 400 cells.
    """
    lines = [line.strip() for line in text.splitlines()] if len(text) <= MAX_CHARACTERS else []
    start = next((place for place, line in enumerate(lines) if _BAR.search(line)), len(lines))
    grid = []
    for line in lines[start:]:
        if not _BAR.search(line):
            break
        cells = _split_row(line)
        if not all(_DELIMITER.fullmatch(cell) for cell in cells):
            grid.append(cells)
    above = [line for line in lines[:start] if line]
    title = next((line.lstrip("#").strip() for line in above if line.startswith("#")), "")
    measures = [line for line in above if not line.startswith("#")]
    return _table(title, measures[-1] if measures else "", grid)


def _are_measured(names: str, rows: tuple[tuple[Cell, ...], ...]) -> bool:
    """Whether labels are numbers to be measured: all read as numbers, and their header ends in a unit, as that of years does not."""
    return names.endswith(")") and all(read_number(str(row[0])) is not None for row in rows)


def _split_row(line: str) -> list[str]:
    cells = _BAR.split(line)
    if line.startswith("|"):
        cells = cells[1:]
    if cells and not cells[-1].strip():
        cells = cells[:-1]
    return [cell.replace("\\|", "|").strip() for cell in cells]


def _table(title: str, measure: str, grid: list[list[str]]) -> ChartTable:
    width = max(map(len, grid), default=0)
    if len(grid) < 2 or width < 2 or len(grid) * width > MAX_CELLS:
        return _EMPTY
    columns, *rows = [row + [""] * (width - len(row)) for row in grid]
    if width == 2:
        measure = columns[1]
    body = tuple((row[0], *(_read_cell(cell) for cell in row[1:])) for row in rows)
    return ChartTable(title, measure, tuple(columns), body, _are_measured(columns[0], body))


def parse_python_dict(text: str) -> ChartTable:
    """Reads a table out of the text of a python dict, without ever running it.

    Args:
        text (`str`): what a model wrote: a dict as `ChartTable.as_dict` gives it, or the mapping of `values` alone, with any
            words or code fences around it.

    Returns:
        `ChartTable`: as for `parse_markdown_table`; without columns and rows if the text holds no readable dict of a table,
        or is longer than 20,000 characters, 400 cells or more than 8 brackets deep.
    """
    start, end = text.find("{"), text.rfind("}") + 1
    if not 0 <= start < end <= MAX_CHARACTERS or _depth(text[start:end]) > _MAX_DEPTH:
        return _EMPTY
    try:
        with warnings.catch_warnings(action="ignore"):  # a stray backslash in a model's text is no news
            found = ast.literal_eval(text[start:end])
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return _EMPTY
    return _table_of_dict(found) if isinstance(found, dict) else _EMPTY


def _depth(text: str) -> int:
    depth = deepest = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    # A run of signs nests as brackets do.
    signs = max((len(run) for run in re.findall(r"[-+~\s]+", text)), default=0)
    return max(deepest, signs // 100)


def _table_of_dict(found: dict) -> ChartTable:
    values = found.get("values", found)
    if not isinstance(values, dict) or not values:
        return _EMPTY
    head = found if "values" in found else {}
    title, names, measure = (_text(head.get(key, "")) for key in ("title", "names", "measure"))
    if any(isinstance(value, dict) for value in values.values()):
        series = {_text(name): value for name, value in values.items() if isinstance(value, dict)}
    else:
        series = {measure: values}
    labels = list(dict.fromkeys(label for value in series.values() for label in value))
    if not labels or len(labels) * (len(series) + 1) > MAX_CELLS:
        return _EMPTY
    rows = tuple((_text(label), *(_plain(value.get(label)) for value in series.values())) for label in labels)
    return ChartTable(title, measure, (names, *series), rows, _are_measured(names, rows))


def _text(value: object) -> str:
    try:
        return str(value)
    except ValueError:  # whole numbers of thousands of digits
        return ""


def _plain(value: object) -> Cell:
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300 and not math.isnan(value):
        return value
    return _read_cell(_text(value))


def parse_table(text: str) -> ChartTable:
    """Reads a table in either form: as a python dict if the text has a brace before any bar, else as Markdown."""
    brace, bar = text.find("{"), text.find("|")
    dict_first = brace >= 0 and (bar < 0 or brace < bar)
    first, second = (
        (parse_python_dict, parse_markdown_table) if dict_first else (parse_markdown_table, parse_python_dict)
    )
    table = first(text)
    return table if table.rows else second(text)


def label_similarity(prediction: str, truth: str, threshold: float = 0.5) -> float:
    """1 minus the normalised edit distance of two labels, case and outer blanks ignored; 0 beyond the threshold."""
    distance = Levenshtein.normalized_distance(prediction.strip().lower(), truth.strip().lower())
    return 1.0 - distance if distance <= threshold else 0.0


def number_similarity(prediction: float, truth: float, threshold: float = 0.1) -> float:
    """1 minus the distance of two numbers relative to the true one; 0 beyond the threshold, or off a true zero."""
    if truth == 0:
        return float(prediction == 0)
    distance = abs(prediction - truth) / abs(truth)
    return 1.0 - distance if distance <= threshold else 0.0


def table_scores(
    prediction: str, truth: ChartTable | HasTable, label_threshold: float = 0.5, number_threshold: float = 0.1
) -> dict[str, float]:
    """Precision, recall and F1 of the cells of a table, as the head of this module defines them.

    Args:
        prediction (`str`): what a model wrote, Markdown or a python dict.
        truth (`ChartTable` or `Chart`): the right table.
        label_threshold (`float`, defaults to 0.5): labels that differ in a larger share of their characters are different.
        number_threshold (`float`, defaults to 0.1): numbers further off than this share of the truth are wrong.

    Returns:
        `dict[str, float]`: `precision`, `recall`, `f1`, each 0 if no table can be read; `title`, the similarity of the
        titles; and `readable`, 1 or 0.

    Raises:
        ValueError: if the true table has no values.
    """
    truth = getattr(truth, "table", truth)
    right = _entries(truth)
    if not right:
        raise ValueError(
            f"the true table {truth.title!r} has no values to compare with; give a table with at least one."
        )
    table = parse_table(prediction)
    said = _entries(table)
    flipped = [(column, row, value) for row, column, value in said]
    limits = (label_threshold, number_threshold)
    alike = max(_matched(one, right, truth.numeric_labels, limits) for one in (said, flipped))
    precision, recall = alike / max(1, len(said)), alike / len(right)
    f1 = 2 * precision * recall / (precision + recall) if alike else 0.0
    title = label_similarity(table.title, truth.title, label_threshold) if table.rows else 0.0
    return {"precision": precision, "recall": recall, "f1": f1, "title": title, "readable": float(bool(table.rows))}


def corpus_table_scores(pairs: Iterable[tuple[str, ChartTable | HasTable]]) -> dict[str, float]:
    """The scores of many tables: the mean of each number of `table_scores` over the tables, as DePlot reports them.

    Args:
        pairs (iterable of `(prediction, truth)`): as for `table_scores`.

    Returns:
        `dict[str, float]`: mean `precision`, `recall`, `f1` and `title`; `tables`, how many; `unreadable`, how many
        predictions held no table.

    Raises:
        ValueError: if there are no pairs, or a true table has no values.
    """
    scores = [table_scores(prediction, truth) for prediction, truth in pairs]
    if not scores:
        raise ValueError("no tables were given to score; give at least one pair of a prediction and its true table.")
    means = {
        name: sum(score[name] for score in scores) / len(scores) for name in ("precision", "recall", "f1", "title")
    }
    return {**means, "tables": len(scores), "unreadable": sum(not score["readable"] for score in scores)}


_Entry = tuple[str, str, Cell]


def _entries(table: ChartTable) -> list[_Entry]:
    return [
        (str(row[0]), column, value)
        for row in table.rows
        for column, value in zip(table.columns[1:], row[1:], strict=True)
        if value is not None
    ]


def _matched(said: list[_Entry], right: list[_Entry], numeric_labels: bool, limits: tuple[float, float]) -> float:
    """Sum of the similarities of the entries matched."""
    if not said:
        return 0.0
    labels, values = np.zeros((2, len(said), len(right)))
    for i, (row, column, value) in enumerate(said):
        for j, (true_row, true_column, true_value) in enumerate(right):
            rows = _cell_similarity(row, _number_label(true_row, numeric_labels), limits)
            labels[i, j] = rows * label_similarity(column, true_column, limits[0])
            values[i, j] = _cell_similarity(value, true_value, limits) if labels[i, j] else 0.0
    # Values only break ties: they weigh less than the labels of any two pairs can differ by in earnest.
    chosen = _best_assignment(labels + 1e-4 * values)
    return float(sum(labels[i, j] * values[i, j] for i, j in chosen))


def _number_label(label: str, numeric: bool) -> Cell:
    number = read_number(label) if numeric else None
    return label if number is None else number


def _cell_similarity(prediction: Cell, truth: Cell, limits: tuple[float, float]) -> float:
    if isinstance(truth, int | float):
        number = read_number(prediction) if isinstance(prediction, str) else prediction
        return 0.0 if number is None else number_similarity(number, truth, limits[1])
    return label_similarity(str(prediction), truth, limits[0])


def _best_assignment(gains: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of rows and columns, each used once, with the largest sum of gains.

    Shortest augmenting paths with dual prices, after Jonker and Volgenant (1987); cubic in the shorter side.
    """
    if gains.shape[0] > gains.shape[1]:
        return [(row, column) for column, row in _best_assignment(gains.T)]
    costs = gains.max() - gains
    rows, columns = costs.shape
    row_price, column_price = np.zeros(rows), np.zeros(columns)
    owner = np.full(columns, -1)
    for row in range(rows):
        distance, came_from = np.full(columns, np.inf), np.full(columns, -1)
        settled = np.zeros(columns, dtype=bool)
        column, reached, at = -1, 0.0, row
        while at >= 0:
            step = reached + costs[at] - row_price[at] - column_price
            closer = ~settled & (step < distance)
            distance[closer], came_from[closer] = step[closer], column
            column = int(np.argmin(np.where(settled, np.inf, distance)))
            reached, settled[column], at = distance[column], True, owner[column]
        passed = settled & (np.arange(columns) != column)
        row_price[owner[passed]] += reached - distance[passed]
        column_price[passed] -= reached - distance[passed]
        row_price[row] += reached
        while column >= 0:
            previous = came_from[column]
            owner[column] = owner[previous] if previous >= 0 else row
            column = previous
    return [(int(row), column) for column, row in enumerate(owner) if row >= 0]


__all__ = [
    "corpus_table_scores",
    "label_similarity",
    "number_similarity",
    "parse_markdown_table",
    "parse_python_dict",
    "parse_table",
    "read_number",
    "table_scores",
]
