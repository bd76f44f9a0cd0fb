"""A mixture as a recipe writes it: a list of entries, each a name, a weight, and one kind of rows with its options.

    mixture:
      - {name: ocr, weight: 4, documents: {task: ocr}}
      - {name: captions, weight: 1, scenes: {mixture: {short: 1.0}}}
      - {name: coco, weight: 1, source: recipes/sources/coco_captions.yaml}

The kinds are in `mixture_kinds.py` and `question_kinds.py`; `register_rows` adds one. Everything that can be wrong is said when
the mixture is built, before a training run has written anything.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from .mixture import Mixture, Part, StreamedMixture, check_some_weight, check_weight
from .mixture_parts import RowSource, StreamRows
from .shuffles import key_of
from .source_config import nearest

Kind = Callable[..., RowSource]
KINDS: dict[str, Kind] = {}
_ENTRY_KEYS = ("name", "weight", "seed")


def register_rows(kind: str) -> Callable[[Kind], Kind]:
    """Adds a kind of rows that entries of a mixture may name.

    Args:
        kind (`str`): the key of an entry.

    Returns:
        A decorator for a function of the entry's options, and by keyword `split` (`train`, `validation` or `test`), `seed` and
        `image_size`, that returns a `RowSource` and raises ValueError for options that cannot be.
    """

    def register(function: Kind) -> Kind:
        KINDS[kind] = function
        return function

    return register


def build_mixture(
    entries: Sequence[Mapping[str, Any]],
    *,
    split: str,
    seed: int,
    length: int,
    image_size: int,
    start: int = 0,
    rank: int = 0,
    world_size: int = 1,
    batch_size: int = 1,
) -> Mixture | StreamedMixture:
    """Opens the sources of a recipe's mixture.

    Args:
        entries (`Sequence[Mapping]`): for each part its `name`, its `weight`, optionally a `seed` of its own (else one drawn
            from the mixture's seed and the name), and one of `KINDS` with that kind's options.
        split (`str`): `train`, `validation` or `test`.
        seed (`int`): decides the order and the rows; give every split the same.
        length (`int`): rows.
        image_size (`int`): side of pictures that are drawn, in pixels, where the options give no other.
        start (`int`, defaults to 0): row to begin at.
        rank, world_size, batch_size: as for `StreamedMixture`; a `Mixture` needs none of them.

    Returns:
        A `StreamedMixture` if any part streams, else a `Mixture`.

    Raises:
        FileNotFoundError: a file or folder that does not exist.
        ValueError: an unknown key, kind or option (the nearest one is named), no kind or two in an entry, a name that comes
            twice, a weight that is no share, a source without rows, or a length below 1.
    """
    from . import mixture_kinds, question_kinds  # noqa: F401  fill KINDS, and need this module first

    if not isinstance(entries, Sequence) or isinstance(entries, str) or not entries:
        raise ValueError(
            f"mixture={entries!r} is no list of entries; write `- {{name: ..., weight: ..., KIND: ...}}` lines."
        )
    kinds = [_checked(number, entry) for number, entry in enumerate(entries)]
    names = [entry["name"] for entry in entries]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"the mixture has two parts named {name!r}: give each a name of its own.")
    check_some_weight([entry["weight"] for entry in entries])
    parts = []
    for entry, kind in zip(entries, kinds, strict=True):
        if entry["weight"] > 0:
            part_seed = entry.get("seed", key_of(seed, entry["name"]) % (1 << 31))
            rows = _opened(entry["name"], kind, entry[kind], split=split, seed=part_seed, image_size=image_size)
            parts.append(Part(entry["name"], rows, entry["weight"]))
    if any(isinstance(part.rows, StreamRows) for part in parts):
        return StreamedMixture(parts, length, seed, start, rank=rank, world_size=world_size, batch_size=batch_size)
    return Mixture(parts, length, seed, start)


def read_options(options: Any, known: Sequence[str], what: str) -> dict[str, Any]:
    """Options of an entry as a mapping; None is no options.

    Args:
        options: what the recipe says.
        known (`Sequence[str]`): the keys there are.
        what (`str`): what errors call them.

    Raises:
        ValueError: if they are no mapping, or a key is unknown; names the nearest one.
    """
    if options is None:
        return {}
    if not isinstance(options, Mapping):
        raise ValueError(f"{what} is {options!r}; expected a mapping of options to values.")
    for key in options:
        if key not in known:
            raise ValueError(f"{what} has the unknown option {key!r}{nearest(str(key), known)}")
    return dict(options)


def config_from(config_class: type, options: Any, what: str) -> Any:
    """A dataclass of options, lists as tuples; raises ValueError as `read_options` and as the class itself."""
    given = read_options(options, [item.name for item in fields(config_class)], what)
    return config_class(**{key: _frozen(value) for key, value in given.items()})


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


def _checked(number: int, entry: Any) -> str:
    """The kind of an entry that is in order."""
    if not isinstance(entry, Mapping):
        raise ValueError(
            f"mixture entry {number} is {entry!r}; expected a mapping such as {{name: ..., weight: ..., KIND: ...}}."
        )
    name = entry.get("name")
    if not isinstance(name, str) or not name.strip():
        raise ValueError(
            f"mixture entry {number} has name={name!r}; expected a text that rows of this part are marked with."
        )
    for key in entry:
        if key not in _ENTRY_KEYS and key not in KINDS:
            raise ValueError(
                f"mixture part {name!r} has the unknown key {key!r}{nearest(str(key), (*_ENTRY_KEYS, *KINDS))}"
            )
    kinds = [key for key in entry if key in KINDS]
    if len(kinds) != 1:
        raise ValueError(
            f"mixture part {name!r} names {' and '.join(kinds) if kinds else 'no kind of rows'}; expected one of "
            f"{', '.join(KINDS)}."
        )
    if "weight" not in entry:
        raise ValueError(f"mixture part {name!r} has no weight: give it a number, its share among all weights.")
    check_weight(name, entry["weight"])
    seed = entry.get("seed", 0)
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(f"mixture part {name!r} has seed={seed!r}; expected a whole number of 0 or more.")
    return kinds[0]


def _opened(name: str, kind: str, options: Any, **settings: Any) -> RowSource:
    """The rows of an entry, the first of them made: what is wrong with it speaks up now and not in a worker."""
    try:
        rows = KINDS[kind](options, **settings)
        if rows.length == 0:
            raise ValueError(f"{kind} is empty; give it rows, or leave it out.")
        rows.row(0)
        if isinstance(rows, StreamRows):
            rows.restart()
    except TypeError as error:
        raise ValueError(
            f"mixture part {name!r}: {kind} has a value of the wrong kind ({error}): check its options."
        ) from error
    except (FileNotFoundError, ValueError) as error:
        error_class = FileNotFoundError if isinstance(error, FileNotFoundError) else ValueError
        raise error_class(f"mixture part {name!r}: {error}") from error
    return rows


__all__ = ["KINDS", "build_mixture", "config_from", "read_options", "register_rows"]
