"""What a mixture is made of: rows by number, from a table, from a function that draws them, or from a stream.

A stream knows only its next row. `StreamRows` gives it numbers all the same: asked for row 900 it passes over the rows
before it, with their pictures left encoded, and asked for an earlier row it begins again.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from datasets import Dataset, IterableDataset

from .shuffles import block_order, key_of

_READ_ROWS = 16


class RowSource(Protocol):
    """Rows by number.

    Attributes:
        length (`int`, *optional*): how many rows there are; None for rows drawn on the fly, which never end.
    """

    length: int | None

    def row(self, index: int) -> dict[str, Any]:
        """Row `index`: `images` (PIL pictures), `messages` (see `chat_rows.py`) and whatever else the source tells."""
        ...


@dataclass(frozen=True)
class DrawnRows:
    """Endless rows, each drawn when asked for.

    Args:
        make (`Callable[[int], dict]`): draws the row of a number; can be pickled, so no lambda.
    """

    make: Callable[[int], dict[str, Any]]
    length: None = None

    def row(self, index: int) -> dict[str, Any]:
        """Row `index`, drawn."""
        return self.make(index)


class TableRows:
    """Rows of a `datasets.Dataset`, pictures decoded when a row is read."""

    def __init__(self, dataset: Dataset):
        self.dataset = dataset
        self.length = len(dataset)

    def row(self, index: int) -> dict[str, Any]:
        """Row `index` of the table."""
        return self.dataset[index]


class StreamRows:
    """Rows of a `datasets.IterableDataset` by number, for numbers that rise.

    The stream begins again when it ends. It is shuffled within windows, each by a permutation of its own, so that the order is
    a function of the seed and memory holds one window, its pictures encoded. Every reader sees every row of the stream, as the
    order demands: workers share the work of decoding, not that of reading.

    Args:
        stream (`IterableDataset`): the rows.
        name (`str`): what errors call the stream, and part of every shuffle.
        seed (`int`, defaults to 0): seed of the shuffles.
        window (`int`, defaults to 256): rows of a window; 1 keeps the stream's order.

    Raises:
        ValueError: if the window is below 1; when read, if the stream has no rows.
    """

    length = None

    def __init__(self, stream: IterableDataset, name: str, seed: int = 0, window: int = 256):
        if isinstance(window, bool) or not isinstance(window, int) or window < 1:
            raise ValueError(
                f"stream {name!r} has shuffle_window={window!r}; expected a number of rows of at least 1."
            )
        stream = stream if stream.features is not None else stream._resolve_features()
        self.name, self.seed, self.window = name, seed, window
        self.features = stream.features
        self._encoded = stream.decode(False)
        self.restart()

    def restart(self) -> None:
        """Forget the place in the stream; the next row is looked for from its beginning."""
        self._reader: Iterator[dict] | None = None
        self._epoch, self._windows, self._first, self._rows = -1, 0, 0, []

    def row(self, index: int) -> dict[str, Any]:
        """Row `index`, counted over all passes; reads on to it, or from the beginning if it is behind the present window."""
        if index < self._first:
            self.restart()
        while index >= self._first + len(self._rows):
            self._next_window()
        return self.features.decode_example(self._rows[index - self._first])

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_reader": None, "_epoch": -1, "_windows": 0, "_first": 0, "_rows": []}

    def _next_window(self) -> None:
        self._first += len(self._rows)
        self._rows = self._take() or self._take_from_next_pass()
        order = block_order(len(self._rows), key_of(self.seed, self.name, self._epoch, self._windows))
        self._rows = [self._rows[place] for place in order]
        self._windows += 1

    def _take_from_next_pass(self) -> list[dict]:
        self._epoch, self._windows = self._epoch + 1, 0
        self._encoded.set_epoch(self._epoch)
        # Iterating over the stream itself would share its files out among the workers; every worker has to see all rows.
        self._reader = _rows_of(self._encoded.iter(batch_size=_READ_ROWS))
        rows = self._take()
        if not rows:
            raise ValueError(f"stream {self.name!r} has no rows: check its split and its filters, or leave it out.")
        return rows

    def _take(self) -> list[dict]:
        return [] if self._reader is None else list(islice(self._reader, self.window))


def _rows_of(batches: Iterator[dict[str, list]]) -> Iterator[dict]:
    for batch in batches:
        for values in zip(*batch.values(), strict=True):
            yield dict(zip(batch, values, strict=True))


__all__ = ["DrawnRows", "RowSource", "StreamRows", "TableRows"]
