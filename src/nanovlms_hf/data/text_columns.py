"""A column of texts whose words are set on pages: opened by name, and held against the fonts before the first page is drawn."""

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
from datasets import Dataset

from .documents import DocumentConfig
from .fonts import default_families, drawable, find_family
from .mixture_config import read_options
from .source_config import nearest

CHARACTERS_CHECKED = 10**8  # what a column is read for at most; with more, what is rare behind it is found when drawn
_BATCH = 1000
_NAMED = 5


def open_text_column(options: Any, config: DocumentConfig) -> Sequence[str]:
    """The texts that an entry of a mixture names, every character of which the entry's fonts can draw.

    Args:
        options: `path`, `column`, `split` and `data_files` of a dataset, as a mapping.
        config (`DocumentConfig`): names the fonts. With `missing_glyphs="skip"` nothing is checked.

    Returns:
        `Sequence[str]`: the column, read row by row.

    Raises:
        ValueError: an option or column that cannot be, a row that is no text, or a character that a font lacks, with the row.
    """
    given = read_options(options, ("path", "column", "split", "data_files"), "documents, `texts`,")
    for key in ("path", "column"):
        if not isinstance(given.get(key), str):
            raise ValueError(
                f"documents, `texts`, has {key}={given.get(key)!r}; expected `path` and `column` of a dataset."
            )
    if (Path(given["path"]) / "state.json").is_file():
        rows = datasets.load_from_disk(given["path"])
    else:
        rows = datasets.load_dataset(
            given["path"], data_files=given.get("data_files"), split=given.get("split", "train")
        )
    if given["column"] not in rows.column_names:
        raise ValueError(
            f"documents, `texts`, names the column {given['column']!r}{nearest(given['column'], rows.column_names)}"
        )
    place = f"column {given['column']!r} of {given.get('data_files') or given['path']}"
    check_texts(rows, given["column"], font_files(config) if config.missing_glyphs == "raise" else (), place)
    return rows[given["column"]]


def font_files(config: DocumentConfig) -> tuple[str, ...]:
    """The files of all faces that pages of a configuration are set in."""
    families = tuple(map(find_family, config.fonts)) or default_families(config.language)
    return tuple(dict.fromkeys(path for family in families for path in (family.regular, family.bold)))


def check_texts(rows: Dataset, column: str, fonts: Sequence[str], place: str) -> None:
    """Passes once over a column, with the set of its characters in memory and one batch of rows.

    Args:
        rows (`Dataset`): the table.
        column (`str`): its column of texts.
        fonts (`Sequence[str]`): font files; a page may be set in any of them, so each has to have every character.
        place (`str`): what errors call the column.

    Raises:
        ValueError: for the first row that is no text, or that has a character which one of the fonts cannot draw.
    """
    seen: set[str] = set()
    first, read = 0, 0
    for batch in rows.select_columns([column]).iter(batch_size=_BATCH):
        texts = batch[column]
        for number, text in enumerate(texts, first):
            if not isinstance(text, str):
                raise ValueError(
                    f"row {number} of {place} is {type(text).__name__}; expected text: name a column that holds text, or take the "
                    "row out."
                )
        fresh = _characters("\n".join(texts)) - seen
        for font in fonts:
            lacking = {character for character in fresh if not drawable(font, character)}
            if lacking:
                raise ValueError(_sentence(texts, first, lacking, font, place))
        seen |= fresh
        first, read = first + len(texts), read + sum(map(len, texts))
        if read >= CHARACTERS_CHECKED:
            return


def _characters(text: str) -> set[str]:
    """What has to be drawn of a text, composed as pages compose it."""
    return {character for character in set(unicodedata.normalize("NFC", text)) if not character.isspace()}


def _sentence(texts: Sequence[str], first: int, lacking: set[str], font: str, place: str) -> str:
    number, found = next((n, hit) for n, text in enumerate(texts, first) if (hit := _characters(text) & lacking))
    named = ", ".join(f"{character!r} (U+{ord(character):04X})" for character in sorted(found)[:_NAMED])
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return (
        f"row {number} of {place} has {named}{more}, which the font file {font!r} cannot draw: name fonts in `fonts` that have every "
        "character, take them out of the texts, or set missing_glyphs: skip to leave out such words."
    )


__all__ = ["CHARACTERS_CHECKED", "check_texts", "font_files", "open_text_column"]
