"""Pages that know their text: documents drawn on the fly, each with its plain text, its Markdown and the box of each character.

    row = document_row(seed=0, split="train", index=7, config=DocumentConfig())
    row["images"][0], row["messages"], row["glyphs"]

What is held out from training:

- words: every word (two letters or more) is a training word or a held-out word by a hash of itself (`words.py`). Pages of
  `train` have training words only, pages of `validation` and `test` held-out words only. In Chinese, pairs of characters.
- layouts: columns and order of the blocks together are the page's layout. A hash of it decides in the same way.

The prompts start with those of Vary-toy (arXiv 2401.12503, table 1); the others are wordings of our own.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from numbers import Integral
from random import Random

from .fonts import Family, default_families, face, find_family
from .page_blocks import BLOCKS, Block, Slot, Typesetter
from .page_drawing import Page, RenderedPage, draw_colours, render_page
from .words import LANGUAGES, GeneratedWords, TextWords, Words, is_held_out
from .world import SPLIT_OFFSETS

PROMPTS: dict[str, tuple[str, ...]] = {
    "ocr": (
        "Provide the OCR results of this image.",
        "Read the page.",
        "What is written here?",
        "Write down all the text in this picture.",
        "Read this aloud, line by line.",
        "Copy the text of this page.",
        "Which words and numbers does this page show?",
        "Type out what the document says.",
        "Give me the text on this page, as it stands.",
        "Transcribe this document.",
        "Extract the text from the picture.",
        "Please read everything that is printed here.",
    ),
    "markdown": (
        "Convert the image to markdown format.",
        "Write this page as Markdown.",
        "Turn the page into Markdown.",
        "Give me this document in Markdown.",
        "What would this page look like in Markdown?",
        "Rewrite the picture as a Markdown file.",
        "Transcribe the page, with headings, lists and tables as Markdown.",
        "Make a Markdown version of this document.",
        "Read the page and keep its structure in Markdown.",
        "Export this page to Markdown.",
        "Put the contents of this image into Markdown.",
        "I need the Markdown source of this page.",
    ),
}

_LAYOUT_TRIES = 400
_LEAST_EMS = 7  # width of a column, margins included, in font sizes
_SHIFTED = 0.4  # share of pages that do not start at the top, so that every part of the picture is read
_WEIGHTS = {"heading": 2, "paragraph": 4, "list": 3, "table": 2, "formula": 1}  # how often a kind of block comes
_WORD_SHARES = {"heading": 0.5, "paragraph": 3.0, "list": 2.0, "table": 1.6, "formula": 0.3}  # of a page's words


@dataclass(frozen=True)
class DocumentConfig:
    """How pages look and what stands on them.

    Args:
        image_size: side of the square picture in pixels.
        language: "en" or "zh".
        fonts: families (one is drawn for each page): names of `MATPLOTLIB_FAMILIES` or of installed families, or paths of
            TrueType and OpenType files. None named: matplotlib's own for "en", the installed Chinese ones for "zh".
        font_sizes: smallest and largest size of body text in pixels per em.
        blocks: kinds of blocks to use, of "heading", "paragraph", "list", "table" and "formula".
        columns: numbers of columns to choose from, 1 or 2.
        min_words, max_words: about how many words a page has, as far as it has room.
        noise: largest standard deviation of the grey noise, 0 to 1; each page draws its own.
        skew: largest rotation in degrees either way, 0 to 15; each page draws its own.
        tint: how far paper and ink leave white and black, 0 to 1.
        zipf: exponent of the word distribution of the built-in texts; 0 draws all words alike.
        value_share: share of numbers, dates, prices and names in the built-in texts, 0 to 1.
        invented_share: share of invented words among the built-in words, 0 to 1.
        held_out_words: pages of a split have words of its side only. If false, built-in texts use all words everywhere, and
            given texts are split by rows instead: each is for training or held out as a whole.
        held_out_layouts: pages of a split have layouts of its side only.
        missing_glyphs: "raise", or "skip" to leave out words that the page's font cannot draw.
        paraphrases: draw the prompt among `PROMPTS`; if false it is always the first.

    Raises:
        ValueError: a value is of the wrong kind or out of range.
    """

    image_size: int = 192
    language: str = "en"
    fonts: tuple[str, ...] = ()
    font_sizes: tuple[int, int] = (9, 12)
    blocks: tuple[str, ...] = BLOCKS
    columns: tuple[int, ...] = (1, 2)
    min_words: int = 15
    max_words: int = 40
    noise: float = 0.0
    skew: float = 0.0
    tint: float = 0.0
    zipf: float = 1.0
    value_share: float = 0.15
    invented_share: float = 0.0
    held_out_words: bool = True
    held_out_layouts: bool = True
    missing_glyphs: str = "raise"
    paraphrases: bool = True

    def __post_init__(self):
        for name in ("fonts", "font_sizes", "blocks", "columns"):
            value = getattr(self, name)
            if isinstance(value, list):
                object.__setattr__(self, name, tuple(value))
            elif not isinstance(value, tuple):
                raise ValueError(f"{name}={value!r} is no list; write it as a list, such as {_example(name)}.")
        for field in fields(self):
            _check(field.name, getattr(self, field.name))
        if self.min_words > self.max_words:
            raise ValueError(
                f"min_words={self.min_words} is more than max_words={self.max_words}: give them in order."
            )
        if self.font_sizes[1] * _LEAST_EMS * max(self.columns) > self.image_size:
            raise ValueError(
                f"font_sizes={list(self.font_sizes)} are too large for image_size={self.image_size} and columns="
                f"{list(self.columns)}: a column needs {_LEAST_EMS} times the font size, so raise image_size or lower "
                "font_sizes."
            )


def _example(name: str) -> str:
    return str(list(next(field.default for field in fields(DocumentConfig) if field.name == name) or ["DejaVu Sans"]))


def _is_integer(value) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _is_number(value, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most


_CHECKS = {
    "image_size": (lambda v: _is_integer(v) and 64 <= v <= 4096, "a whole number of pixels from 64 to 4096"),
    "language": (lambda v: v in LANGUAGES, f"one of {', '.join(LANGUAGES)}"),
    "fonts": (lambda v: all(isinstance(name, str) and name for name in v), "a list of family names or font files"),
    "font_sizes": (
        lambda v: len(v) == 2 and all(map(_is_integer, v)) and 5 <= v[0] <= v[1] <= 200,
        "the smallest and the largest size, in order, from 5 to 200 pixels",
    ),
    "blocks": (lambda v: bool(v) and all(kind in BLOCKS for kind in v), f"a list of some of {', '.join(BLOCKS)}"),
    "columns": (lambda v: bool(v) and all(n in (1, 2) and _is_integer(n) for n in v), "a list of 1, 2 or both"),
    "min_words": (lambda v: _is_integer(v) and 1 <= v <= 10_000, "a whole number from 1 to 10000"),
    "max_words": (lambda v: _is_integer(v) and 1 <= v <= 10_000, "a whole number from 1 to 10000"),
    "noise": (lambda v: _is_number(v, 1), "a number from 0 to 1"),
    "skew": (lambda v: _is_number(v, 15), "a number of degrees from 0 to 15"),
    "tint": (lambda v: _is_number(v, 1), "a number from 0 to 1"),
    "zipf": (lambda v: _is_number(v, 4), "a number from 0 to 4"),
    "value_share": (lambda v: _is_number(v, 1), "a number from 0 to 1"),
    "invented_share": (lambda v: _is_number(v, 1), "a number from 0 to 1"),
    "held_out_words": (lambda v: isinstance(v, bool), "true or false"),
    "held_out_layouts": (lambda v: isinstance(v, bool), "true or false"),
    "missing_glyphs": (lambda v: v in ("raise", "skip"), "raise or skip"),
    "paraphrases": (lambda v: isinstance(v, bool), "true or false"),
}


def _check(name: str, value) -> None:
    accepts, expected = _CHECKS[name]
    if not accepts(value):
        raise ValueError(
            f"{name}={list(value) if isinstance(value, tuple) else value!r} cannot be; expected {expected}."
        )


DEFAULT_DOCUMENTS = DocumentConfig()


@dataclass(frozen=True)
class _Plan:
    """Kinds of blocks by column, and whether the first heading runs over both columns."""

    title: bool
    columns: tuple[tuple[str, ...], ...]

    @property
    def layout(self) -> str:
        parts = [
            str(len(self.columns)),
            *(["heading"] if self.title else []),
            *(" ".join(kinds) for kinds in self.columns),
        ]
        return "|".join(parts)


def make_page(
    seed: int,
    split: str,
    index: int,
    config: DocumentConfig = DEFAULT_DOCUMENTS,
    texts: Sequence[str] | None = None,
) -> Page:
    """Set one page; a pure function of its arguments.

    Args:
        seed (`int`): seed of all pages.
        split (`str`): `train`, `validation` or `test`.
        index (`int`): number of the page, from 0.
        config (`DocumentConfig`): how pages look.
        texts (`Sequence[str]`, *optional*): rows of text with a length and an index, such as a list or a column of a
            `datasets.Dataset`; the built-in texts when not given. Numbers in tables, and formulas, are always drawn.

    Returns:
        `Page`: what stands where; `render_page` draws it.

    Raises:
        ValueError: an unknown split, a negative index, texts or fonts that cannot be used, a character that the font lacks,
            or options that leave no layout for this split.
    """
    if split not in SPLIT_OFFSETS:
        raise ValueError(f"split={split!r} is unknown; choose one of {', '.join(SPLIT_OFFSETS)}.")
    if not _is_integer(index) or index < 0:
        raise ValueError(f"index={index!r} is no row; expected a whole number from 0.")
    rng = Random(f"{seed}:{split}:{index}:page")
    held_out = split != "train"
    families = tuple(map(find_family, config.fonts)) or default_families(config.language)
    family, size = rng.choice(families), rng.randint(*config.font_sizes)
    angle = rng.uniform(-config.skew, config.skew)
    for _ in range(_LAYOUT_TRIES):
        count = rng.randint(config.min_words, config.max_words)
        plan = _draw_plan(rng, config, count)
        if config.held_out_layouts and is_held_out(plan.layout) != held_out:
            continue
        words = _words(rng, config, held_out, family, size, texts)
        margin = _margin(rng, config.image_size, angle)
        blocks, layout, spare = _set_page(Typesetter(rng, words, family, size), plan, config.image_size, margin, count)
        if blocks and (not config.held_out_layouts or is_held_out(layout) == held_out):
            paper, ink = draw_colours(rng, config.tint)
            noise, noise_seed = rng.uniform(0, config.noise), rng.getrandbits(32)
            shift = rng.randint(0, spare) if rng.random() < _SHIFTED else 0
            return Page(config.image_size, blocks, shift, layout, angle, paper, ink, noise, noise_seed)
    mend = ", or set held_out_layouts: false" if config.held_out_layouts else ""
    raise ValueError(
        f"blocks={list(config.blocks)} and columns={list(config.columns)} on {config.image_size} pixels give no layout that fits "
        f"and is kept for the split {split}: allow more kinds of blocks or a larger image_size{mend}."
    )


def _words(rng: Random, config: DocumentConfig, held_out: bool, family: Family, size: int, texts) -> Words:
    regular, bold = face(family.regular, size), face(family.bold, size)

    def covers(text: str) -> bool:
        return regular.covers(text) and bold.covers(text)

    skip = config.missing_glyphs == "skip"
    if texts is not None:
        whole = not config.held_out_words
        return TextWords(rng, config.language, held_out, covers, skip, texts=texts, keep_texts_whole=whole)
    return GeneratedWords(
        rng,
        config.language,
        held_out if config.held_out_words else None,
        covers,
        skip,
        zipf=config.zipf,
        value_share=config.value_share,
        invented_share=config.invented_share,
    )


def _draw_plan(rng: Random, config: DocumentConfig, count: int) -> _Plan:
    columns = rng.choice(config.columns)
    usual = 1.2 * count**0.42  # a note of 20 words has three or four blocks, a page of 500 about fourteen
    kinds = _draw_kinds(rng, config.blocks, max(columns, round(usual * rng.uniform(0.65, 1.1))))
    if columns == 1:
        return _Plan(False, (kinds,))
    title = len(kinds) > columns and kinds[0] == "heading" and rng.random() < 0.5
    rest = kinds[1:] if title else kinds
    cut = max(1, round(len(rest) / 2 + rng.uniform(-0.6, 0.6)))
    if cut > 1 and rest[cut - 1] == "heading":
        cut -= 1
    return _Plan(title, (rest[:cut], rest[cut:]))


def _draw_kinds(rng: Random, allowed: Sequence[str], count: int) -> tuple[str, ...]:
    """Kinds in order: only paragraphs follow their like, no heading is last, and most pages start with one, as far as the
    allowed kinds let it be so."""
    allowed = tuple(dict.fromkeys(allowed))
    kinds: list[str] = []
    for position in range(count):
        choices = [kind for kind in allowed if _may_follow(kind, kinds, position == count - 1)] or allowed
        if position == 0 and "heading" in choices and rng.random() < 0.7:
            choices = ["heading"]
        kinds.append(rng.choices(choices, weights=[_WEIGHTS[kind] for kind in choices])[0])
    return tuple(kinds)


def _may_follow(kind: str, before: Sequence[str], last: bool) -> bool:
    return kind == "paragraph" or (kind not in before[-1:] and not (kind == "heading" and last))


def _set_page(
    setter: Typesetter, plan: _Plan, side: int, margin: int, count: int
) -> tuple[tuple[Block, ...], str, int]:
    """Set a plan's blocks; returns them, the layout that came out (a block without room is left out), and the pixels left
    below. No blocks where a column stayed empty."""
    blocks: list[Block] = []
    y, width, bottom = margin, side - 2 * margin, side - margin
    if plan.title:
        title = setter.set("heading", Slot(margin, y, width, bottom - y, min(6, max(1, count // 8))), first=True)
        if title is None:
            return (), "", 0
        blocks.append(title)
        y += title.height + setter.gap
    gutter = max(setter.size, side // 24)
    number_of_columns = len(plan.columns)
    width = (width - gutter * (number_of_columns - 1)) // number_of_columns
    kinds_set, lowest = [], y
    for number, kinds in enumerate(plan.columns):
        slot = Slot(margin + number * (width + gutter), y, width, bottom - y, max(1, round(count / number_of_columns)))
        column, end = _fill_column(setter, kinds, slot, first=not blocks)
        if not column:
            return (), "", 0
        blocks += column
        lowest = max(lowest, end)
        kinds_set.append(tuple(block.kind for block in column))
    return tuple(blocks), _Plan(plan.title, tuple(kinds_set)).layout, bottom - lowest


def _margin(rng: Random, side: int, angle: float) -> int:
    """Pixels around the text, so much that nothing leaves the picture when the page is turned."""
    turned = math.cos(math.radians(angle)) + math.sin(math.radians(abs(angle)))
    return math.ceil(side / 2 * (1 - 1 / turned) + max(4, side * rng.uniform(0.03, 0.06)) / turned)


def _fill_column(setter: Typesetter, kinds: Sequence[str], slot: Slot, first: bool) -> tuple[list[Block], int]:
    """Set blocks below each other, each with its share of the words, leaving room for the shortest form of those to come.
    Returns them and where they end."""
    blocks: list[Block] = []
    y, words, end = slot.y, float(slot.words), slot.y
    for number, kind in enumerate(kinds):
        later = kinds[number + 1 :]
        room = slot.y + slot.height - y - sum(setter.least_height(other) + setter.gap for other in later)
        share = words * _WORD_SHARES[kind] / sum(_WORD_SHARES[other] for other in (kind, *later))
        block = setter.set(kind, Slot(slot.x, y, slot.width, room, round(share)), first and not blocks)
        if block is None:
            continue
        blocks.append(block)
        words = max(words - setter.count_words(block), len(later))
        end = y + block.height
        y = end + setter.gap
    while len(blocks) > 1 and blocks[-1].kind == "heading":
        end -= blocks.pop().height + setter.gap
    return blocks, end


def document_row(
    seed: int,
    split: str,
    index: int,
    config: DocumentConfig = DEFAULT_DOCUMENTS,
    task: str = "ocr",
    texts: Sequence[str] | None = None,
) -> dict:
    """One page with its chat.

    Args:
        seed, split, index, config, texts: as for `make_page`.
        task (`str`, defaults to `"ocr"`): "ocr" asks for the plain text in reading order, "markdown" for Markdown.

    Returns:
        `dict`: `images` (a list of one picture), `messages` (a prompt with the picture, and the page's text) and `glyphs`
        (see `RenderedPage`).

    Raises:
        ValueError: an unknown task, or what `make_page` raises.
    """
    if task not in PROMPTS:
        raise ValueError(f"task={task!r} is unknown; choose one of {', '.join(PROMPTS)}.")
    page = render_page(make_page(seed, split, index, config, texts))
    prompts = PROMPTS[task] if config.paraphrases else PROMPTS[task][:1]
    prompt = Random(f"{seed}:{split}:{index}:{task}").choice(prompts)
    answer = page.text if task == "ocr" else page.markdown
    messages = [
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt}]},
        {"role": "assistant", "content": [{"type": "text", "text": answer}]},
    ]
    return {"images": [page.picture], "messages": messages, "glyphs": page.glyphs}


__all__ = [
    "DEFAULT_DOCUMENTS",
    "PROMPTS",
    "DocumentConfig",
    "Page",
    "RenderedPage",
    "document_row",
    "make_page",
    "render_page",
]
