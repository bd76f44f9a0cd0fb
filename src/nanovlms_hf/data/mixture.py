"""Several sources of rows as one, by weight: row i is a function of (seed, i), whoever asks for it and in whatever order.

    mixture = Mixture([Part("pages", pages, weight=4), Part("boxes", boxes, weight=3)], length=1_000_000, seed=0)
    mixture[17]           # {"images": [...], "messages": [...], "part": "pages"}
    mixture.part_of(17)   # ("pages", 8): which row of which part that is, without making it

Nothing is stored for a row. The weights become whole numbers of rows in a block, every block has an order of its own, and a
finite part is passed over in another permutation each time, each row once a pass. Hence the number of workers and processes
cannot matter, and a run resumes by beginning at a later row. Rows come mixed already: read them in order
(`train_sampling_strategy: sequential` in a Trainer), a shuffle on top only costs memory.
"""

import math
import operator
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import datasets
import numpy as np
import torch.utils.data

from .mixture_parts import RowSource, StreamRows
from .shuffles import block_order, key_of, permute

BLOCKS = (1_000, 10_000, 100_000)
_ROWS_FOR_THE_SMALLEST = 10
_BLOCKS_KEPT = 4


@dataclass(frozen=True)
class Part:
    """One source in a mixture.

    Args:
        name (`str`): what rows of this part are marked with, and part of its shuffles.
        rows (`RowSource`): the rows; endless if its `length` is None.
        weight (`float`): share among the weights of all parts; 0 switches the part off.
    """

    name: str
    rows: RowSource
    weight: float


class Schedule:
    """Which row of which part stands at a place of the mixture.

    Args:
        parts (`Sequence[Part]`): the parts.
        seed (`int`): decides the order.

    Attributes:
        parts (`list[Part]`): those with a weight above 0.
        block (`int`): rows of a block; the smallest of `BLOCKS` that gives every part 10 rows or more, else the largest.
        counts (`list[int]`): rows of each part in every block, by largest remainder.

    Raises:
        ValueError: if there is no part, two have one name, a part is empty, or a weight is no share: negative, not finite,
            all zero, or less than a row in the largest block.
    """

    def __init__(self, parts: Sequence[Part], seed: int):
        _check_parts(parts)
        self.seed = seed
        self.parts = [part for part in parts if part.weight > 0]
        weights = [part.weight for part in self.parts]
        for self.block in BLOCKS:
            self.counts = _largest_remainder(weights, self.block)
            if min(self.counts) >= _ROWS_FOR_THE_SMALLEST:
                break
        if min(self.counts) == 0:
            part = self.parts[self.counts.index(0)]
            raise ValueError(
                f"mixture part {part.name!r} has weight={part.weight}, less than one row in {self.block}: raise its weight, or "
                "leave it out."
            )
        self._blocks: OrderedDict[int, tuple[np.ndarray, np.ndarray]] = OrderedDict()

    def at(self, place: int) -> tuple[Part, int]:
        """The part at a place, and the row of that part."""
        block, offset = divmod(place, self.block)
        owners, ranks = self._block_at(block)
        owner = int(owners[offset])
        part, position = self.parts[owner], block * self.counts[owner] + int(ranks[offset])
        if part.rows.length is None:
            return part, position
        passes, position = divmod(position, part.rows.length)
        return part, permute(position, part.rows.length, key_of(self.seed, part.name, passes))

    def _block_at(self, block: int) -> tuple[np.ndarray, np.ndarray]:
        """(part, rank among the block's rows of that part) for each place of a block, both of shape (block,)."""
        if block in self._blocks:
            return self._blocks[block]
        owners = np.repeat(np.arange(len(self.counts)), self.counts)[
            block_order(self.block, key_of(self.seed, "block", block))
        ]
        ranks = np.empty(self.block, dtype=np.int64)
        for owner, count in enumerate(self.counts):
            ranks[owners == owner] = np.arange(count)
        self._blocks[block] = owners, ranks
        if len(self._blocks) > _BLOCKS_KEPT:
            self._blocks.popitem(last=False)
        return owners, ranks


class Mixture(torch.utils.data.Dataset):
    """Rows of several parts by weight, any row at once.

    Args:
        parts (`Sequence[Part]`): the parts.
        length (`int`): rows.
        seed (`int`, defaults to 0): decides the order; the parts have seeds of their own.
        start (`int`, defaults to 0): row to begin at; what was row `start` becomes row 0.

    Raises:
        ValueError: as `Schedule`; if the length is below 1, the start below 0, or a part is a stream.
    """

    def __init__(self, parts: Sequence[Part], length: int, seed: int = 0, start: int = 0):
        _check_range(length, start)
        for part in parts:
            if isinstance(part.rows, StreamRows):
                raise ValueError(
                    f"mixture part {part.name!r} is a stream, whose rows cannot be read in any order: use StreamedMixture, or "
                    "load the source without `streaming`."
                )
        self.schedule = Schedule(parts, seed)
        self.length, self.seed, self.start = length, seed, start

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Any]:
        part, row = self._at(index)
        return {**part.rows.row(row), "part": part.name}

    def part_of(self, index: int) -> tuple[str, int]:
        """(part, row of that part) of a row, without making it; raises IndexError outside the mixture."""
        part, row = self._at(index)
        return part.name, row

    def as_dataset(self) -> datasets.Dataset:
        """The mixture as a `datasets.Dataset`, for trainers that take nothing else; 8 bytes of memory a row."""
        return datasets.Dataset.from_dict({"row": range(self.length)}).with_transform(_RowsOf(self))

    def _at(self, index: int) -> tuple[Part, int]:
        place = operator.index(index)
        place += self.length if place < 0 else 0
        if not 0 <= place < self.length:
            raise IndexError(f"row {index} was asked of a mixture of {self.length} rows.")
        return self.schedule.at(self.start + place)


class StreamedMixture(torch.utils.data.IterableDataset):
    """As `Mixture`, read in order, for parts of which some are streams.

    Rows go out in batches: batch 0 to process 0, batch 1 to process 1, and so on; within a process the data loader's workers
    take turns as torch has it. So a loader over this dataset, with the same `batch_size`, gives the rows in one order for any
    number of workers, and with any number of processes the union of their batches is that order too. Rows of others are not
    made; in a stream they are passed over with their pictures left encoded. Do not let accelerate shard it again.

    Args:
        parts, length, seed, start: as for `Mixture`.
        rank (`int`, defaults to 0): this process.
        world_size (`int`, defaults to 1): number of processes.
        batch_size (`int`, defaults to 1): rows of a data loader's batch.

    Raises:
        ValueError: as `Schedule`; if the length is below 1 or gives the processes different numbers of rows, or the rank is no
            rank.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        length: int,
        seed: int = 0,
        start: int = 0,
        *,
        rank: int = 0,
        world_size: int = 1,
        batch_size: int = 1,
    ):
        _check_range(length, start)
        if not 0 <= rank < world_size:
            raise ValueError(
                f"rank={rank} of world_size={world_size} is no process: ranks go from 0 to world_size - 1."
            )
        if batch_size < 1:
            raise ValueError(f"batch_size={batch_size} was given to a mixture; expected 1 or more.")
        if world_size > 1 and length % (world_size * batch_size):
            raise ValueError(
                f"length={length} gives {world_size} processes with batches of {batch_size} different numbers of rows: make it "
                f"a multiple of {world_size * batch_size}."
            )
        self.schedule = Schedule(parts, seed)
        self.length, self.seed, self.start = length, seed, start
        self.rank, self.world_size, self.batch_size = rank, world_size, batch_size
        self._next = self._resume_at = 0

    def __len__(self) -> int:
        """Rows of this process."""
        return self.length // self.world_size

    def __iter__(self) -> Iterator[dict[str, Any]]:
        worker = torch.utils.data.get_worker_info()
        return self.rows(worker.id, worker.num_workers) if worker else self.rows()

    def rows(self, turn: int = 0, turns: int = 1) -> Iterator[dict[str, Any]]:
        """The rows of this process, or, of its batches, every `turns`-th one from number `turn`."""
        self._next, self._resume_at = self._resume_at, 0
        for part in self.schedule.parts:
            if isinstance(part.rows, StreamRows):
                part.rows.restart()  # a forked worker must not share its parent's place in a file
        for index in self._own_rows(self._next, turn, turns):
            self._next = index + 1
            part, row = self.schedule.at(self.start + index)
            yield {**part.rows.row(row), "part": part.name}

    def part_of(self, index: int) -> tuple[str, int]:
        """(part, row of that part) of a row of all processes, without making it."""
        if not 0 <= index < self.length:
            raise IndexError(f"row {index} was asked of a mixture of {self.length} rows.")
        part, row = self.schedule.at(self.start + index)
        return part.name, row

    def state_dict(self) -> dict[str, int]:
        """Where this process stands: the row behind the last one given out, counted over all processes.

        Meaningful where the dataset itself is iterated; a data loader's workers iterate copies. Behind a loader count the
        batches, and begin at `start` + batches x `batch_size` x `world_size`.
        """
        return {"row": self._next}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Makes the next iteration begin where `state_dict` was taken; streams are read up to there without decoding."""
        if not 0 <= state["row"] <= self.length:
            raise ValueError(f"the state is at row {state['row']}, but this mixture has {self.length} rows.")
        self._next = self._resume_at = state["row"]

    def as_dataset(self) -> datasets.IterableDataset:
        """The mixture as a `datasets.IterableDataset`, for trainers that take nothing else; one worker does all the reading."""
        return datasets.IterableDataset.from_generator(_iterate, gen_kwargs={"mixtures": [self]})

    def _own_rows(self, first: int, turn: int, turns: int) -> Iterator[int]:
        together = self.world_size * self.batch_size
        for number in range(first // together + turn, math.ceil(self.length / together), turns):
            begin = number * together + self.rank * self.batch_size
            yield from range(max(begin, first), min(begin + self.batch_size, self.length))


class _RowsOf:
    """Makes the rows that a batch of numbers names; a picklable class, so that data-loader workers can have it."""

    def __init__(self, mixture: Mixture):
        self.mixture = mixture

    def __call__(self, batch: dict[str, list]) -> dict[str, list]:
        rows = [self.mixture[index] for index in batch["row"]]
        keys = dict.fromkeys(key for row in rows for key in row)
        return {key: [row.get(key) for row in rows] for key in keys}


def _iterate(mixtures: list[StreamedMixture]) -> Iterator[dict[str, Any]]:
    for mixture in mixtures:
        yield from mixture.rows()


def _check_range(length: int, start: int) -> None:
    if isinstance(length, bool) or not isinstance(length, int) or length < 1:
        raise ValueError(f"length={length!r} rows were asked of a mixture; give a whole number of at least 1.")
    if isinstance(start, bool) or not isinstance(start, int) or start < 0:
        raise ValueError(f"start={start!r} was given to a mixture; expected the number of a row, 0 or more.")


def _check_parts(parts: Sequence[Part]) -> None:
    if not parts:
        raise ValueError("the mixture has no parts: give at least one.")
    seen = set()
    for part in parts:
        check_weight(part.name, part.weight)
        if part.name in seen:
            raise ValueError(f"the mixture has two parts named {part.name!r}: give each a name of its own.")
        seen.add(part.name)
        if part.weight > 0 and part.rows.length == 0:
            raise ValueError(f"mixture part {part.name!r} is empty: give it rows, or leave it out.")
    check_some_weight([part.weight for part in parts])


def check_weight(name: str, weight: Any) -> None:
    """Raises ValueError for a weight that is no finite number of 0 or more."""
    number = isinstance(weight, int | float) and not isinstance(weight, bool)
    if not number or not math.isfinite(weight) or weight < 0:
        raise ValueError(f"mixture part {name!r} has weight={weight!r}; expected a finite number, 0 or more.")


def check_some_weight(weights: Sequence[float]) -> None:
    """Raises ValueError if every weight is 0."""
    if not sum(weights) > 0:
        raise ValueError("every weight of the mixture is 0: give at least one part a weight above 0.")


def _largest_remainder(weights: Sequence[float], rows: int) -> list[int]:
    total = math.fsum(weights)
    shares = [weight / total * rows for weight in weights]
    counts = [math.floor(share) for share in shares]
    by_remainder = sorted(range(len(shares)), key=lambda place: counts[place] - shares[place])
    for place in by_remainder[: rows - sum(counts)]:
        counts[place] += 1
    return counts


__all__ = ["BLOCKS", "Mixture", "Part", "Schedule", "StreamedMixture", "check_some_weight", "check_weight"]
