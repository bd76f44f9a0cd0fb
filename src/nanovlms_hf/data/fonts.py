"""Fonts of the pages: where they are, what they can draw, how wide each character is and what it looks like.

Pages are drawn character by character from bitmaps that are made once, at whole pixels and without kerning. So every
character's box is known exactly, and a page costs a few array operations instead of a call of FreeType per line.

The default families come with matplotlib, so every machine has them. There is no such family for Chinese: one has to be
installed, and its absence is said in a sentence.
"""

import math
import os
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from fontTools.ttLib import TTFont, TTLibError
from PIL import Image, ImageDraw, ImageFont

# family -> files of the regular and the bold face in matplotlib's font folder
MATPLOTLIB_FAMILIES = {
    "DejaVu Sans": ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf"),
    "DejaVu Serif": ("DejaVuSerif.ttf", "DejaVuSerif-Bold.ttf"),
    "DejaVu Sans Mono": ("DejaVuSansMono.ttf", "DejaVuSansMono-Bold.ttf"),
    "STIX": ("STIXGeneral.ttf", "STIXGeneralBol.ttf"),
}
CHINESE_FAMILIES = (
    "Noto Sans CJK",
    "Noto Serif CJK",
    "Noto Sans SC",
    "Noto Serif SC",
    "Source Han Sans",
    "Source Han Serif",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "wqy",
    "AR PL UMing",
    "AR PL UKai",
    "Droid Sans Fallback",
    "SimSun",
    "SimHei",
    "Microsoft YaHei",
    "msyh",
    "PingFang",
    "Heiti",
)
_REGULAR = ("", "regular", "book", "roman", "normal", "medium", "r")
_EXTENSIONS = (".ttf", ".otf", ".ttc", ".otc")
# What a line has to have room for; characters that a font lacks do not count.
_TALL_CHARACTERS = "ÁÊÅjpqy|()[]{}$@√字国"
# Categories that cannot stand alone in a box of their own: marks, controls, surrogates, private and unassigned.
_NO_GLYPH_CATEGORIES = ("M", "C")
_RIGHT_TO_LEFT = ("R", "AL")
_LEAST_SPACE = 0.3  # of the size: whole pixels bring letters of small print so close that a narrower space is not seen


@dataclass(frozen=True)
class Family:
    """A regular face and the bold one beside it (the regular one again where there is none).

    Args:
        name: what it was asked for by.
        regular, bold: paths of font files.
    """

    name: str
    regular: str
    bold: str


@dataclass(frozen=True)
class Glyph:
    """What one character looks like, relative to the point where it starts on the baseline.

    Args:
        mask: ink coverage, uint8 of shape (height, width); None for a space.
        left, top: where the mask's corner lies, in pixels.
        box: the character's cell as (x1, y1, x2, y2): its advance wide and the line high, grown where ink leaves that.
        advance: pixels to the next character.
    """

    mask: np.ndarray | None
    left: int
    top: int
    box: tuple[int, int, int, int]
    advance: int


class _Advances(dict):
    """Character -> advance, measured when first asked for."""

    def __init__(self, glyphs: "_Glyphs"):
        self.glyphs = glyphs

    def __missing__(self, character: str) -> int:
        self[character] = self.glyphs[character].advance
        return self[character]


class _Glyphs(dict):
    """Character -> `Glyph`, drawn when first asked for."""

    def __init__(self, face: "Face"):
        self.face = face

    def __missing__(self, character: str) -> Glyph:
        self[character] = self.face.draw_glyph(character)
        return self[character]


class Face:
    """A font file at one size, with its characters measured and drawn as they are first needed; see `face`.

    Args:
        path: a TrueType or OpenType file.
        size: pixels per em.

    Raises:
        ValueError: the file cannot be read as a font.
    """

    def __init__(self, path: str, size: int):
        self.path, self.size = path, size
        try:
            self._font = ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)
        except OSError as error:
            raise ValueError(
                f"the font file {path!r} cannot be read ({error}): give the path of a TrueType or OpenType font."
            ) from error
        self.glyphs = _Glyphs(self)
        self.advances = _Advances(self.glyphs)
        tall = "".join(c for c in _TALL_CHARACTERS if ord(c) in _character_map(path)) or "x"
        _, top, _, bottom = self._font.getbbox(tall, anchor="ls")
        self.ascent, self.descent = int(-top), max(int(bottom), 1)

    @property
    def height(self) -> int:
        """Pixels from the top of the tallest usual character to the bottom of the lowest."""
        return self.ascent + self.descent

    def width(self, text: str) -> int:
        """Pixels that a text takes in one line; raises ValueError if the font lacks a character."""
        return sum(map(self.advances.__getitem__, text))

    def covers(self, text: str) -> bool:
        """Whether the font can draw every character of a text."""
        return all(drawable(self.path, character) for character in text)

    def draw_glyph(self, character: str) -> Glyph:
        """Measure and draw one character; `glyphs` keeps the result.

        Raises:
            ValueError: the font lacks it, or it needs shaping that is not done here.
        """
        if not drawable(self.path, character):
            raise ValueError(
                f"the font file {self.path!r} cannot draw the character {character!r} (U+{ord(character):04X}): name a font "
                "that has it in `fonts`, take it out of the texts, or set missing_glyphs: skip to leave out such words."
            )
        advance = max(round(self._font.getlength(character)), 1)
        left, top, right, bottom = (int(edge) for edge in self._font.getbbox(character, anchor="ls"))
        canvas = Image.new("L", (right - left + 2, bottom - top + 2))
        ImageDraw.Draw(canvas).text((1 - left, 1 - top), character, fill=255, font=self._font, anchor="ls")
        inked = canvas.getbbox()
        if inked is None:
            wide = max(advance, math.ceil(self.size * _LEAST_SPACE))
            return Glyph(None, 0, 0, (0, -self.ascent, wide, self.descent), wide)
        mask = np.asarray(canvas.crop(inked))
        left, top = left - 1 + inked[0], top - 1 + inked[1]
        box = (
            min(0, left),
            min(-self.ascent, top),
            max(advance, left + mask.shape[1]),
            max(self.descent, top + mask.shape[0]),
        )
        return Glyph(mask, left, top, box, advance)


@lru_cache(maxsize=512)
def face(path: str, size: int) -> Face:
    """The one `Face` of a font file and size in this process."""
    return Face(path, size)


@lru_cache(maxsize=65536)
def drawable(path: str, character: str) -> bool:
    """Whether a font file has a character and it can be drawn as one box, left to right, without shaping."""
    if ord(character) not in _character_map(path) or unicodedata.category(character)[0] in _NO_GLYPH_CATEGORIES:
        return False
    return unicodedata.bidirectional(character) not in _RIGHT_TO_LEFT


@lru_cache(maxsize=64)
def _character_map(path: str) -> frozenset[int]:
    try:
        with TTFont(path, fontNumber=0, lazy=True) as font:
            return frozenset(font.getBestCmap() or ())
    except (OSError, TTLibError, KeyError, AssertionError) as error:
        raise ValueError(
            f"the font file {path!r} cannot be read ({error}): give the path of a TrueType or OpenType font."
        ) from error


@lru_cache(maxsize=256)
def find_family(name: str) -> Family:
    """Find a font by the name of its family or by the path of its file.

    Args:
        name: a name of `MATPLOTLIB_FAMILIES`, the name of an installed family (its file is found by its name: "Liberation
            Serif" is LiberationSerif-Regular.ttf), or a path that ends in .ttf, .otf, .ttc or .otc.

    Returns:
        The `Family`; a bold file beside the regular one is found by its name ("X-Bold.ttf").

    Raises:
        ValueError: there is no such file or family.
    """
    if name in MATPLOTLIB_FAMILIES:
        folder = _matplotlib_folder()
        return Family(name, *(os.path.join(folder, file) for file in MATPLOTLIB_FAMILIES[name]))
    if name.lower().endswith(_EXTENSIONS):
        path = os.path.expanduser(name)
        if not os.path.isfile(path):
            raise ValueError(f"the font file {name!r} does not exist: correct the path in `fonts`.")
        return Family(name, path, _bold_beside(path))
    wanted = _plain(name)
    for path in installed_fonts():
        stem = _plain(Path(path).stem)
        if stem.startswith(wanted) and stem[len(wanted) :] in _REGULAR:
            return Family(name, path, _bold_beside(path))
    raise ValueError(
        f"no font family {name!r} is installed here: install it, give the path of its file, or choose from "
        f"{', '.join(MATPLOTLIB_FAMILIES)}."
    )


@lru_cache(maxsize=8)
def default_families(language: str) -> tuple[Family, ...]:
    """The families that pages of a language are set in when none is named.

    Args:
        language: "en" or "zh".

    Raises:
        ValueError: "zh" where no known Chinese family is installed.
    """
    if language == "en":
        return tuple(find_family(name) for name in MATPLOTLIB_FAMILIES)
    names = [_plain(name) for name in CHINESE_FAMILIES]
    found = [path for path in installed_fonts() if any(_plain(Path(path).stem).startswith(name) for name in names)]
    regular = [path for path in found if "bold" not in _plain(Path(path).stem) and _reads_chinese(path)]
    if not regular:
        raise ValueError(
            f"pages in Chinese need a font with Chinese characters and none is installed: looked for "
            f"{', '.join(CHINESE_FAMILIES)} in {', '.join(_searched_folders())}; install one (Debian: fonts-noto-cjk) or give "
            "the path of a font file in `fonts`."
        )
    return tuple(Family(Path(path).stem, path, _bold_beside(path)) for path in regular)


def installed_fonts() -> list[str]:
    """Paths of the font files in this machine's font folders and in matplotlib's, sorted."""
    files = {}
    for folder in _searched_folders():
        for path in sorted(Path(folder).rglob("*")):
            if path.suffix.lower() in _EXTENSIONS:
                files.setdefault(str(path), None)
    return list(files)


def _searched_folders() -> list[str]:
    from matplotlib import font_manager

    folders = [*font_manager.X11FontDirectories, *font_manager.OSXFontDirectories]
    if os.name == "nt":
        folders.append(font_manager.win32FontDirectory())
    return [folder for folder in dict.fromkeys(map(str, [*folders, _matplotlib_folder()])) if os.path.isdir(folder)]


def _matplotlib_folder() -> str:
    import matplotlib

    return os.path.join(matplotlib.get_data_path(), "fonts", "ttf")


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


def _reads_chinese(path: str) -> bool:
    try:
        return {ord(c) for c in "的一是国"} <= _character_map(path)
    except ValueError:
        return False


def _bold_beside(path: str) -> str:
    stem, extension = os.path.splitext(path)
    for ending in ("-Regular", "-Book", "-Roman", ""):
        if stem.endswith(ending):
            candidate = f"{stem.removesuffix(ending)}-Bold{extension}"
            if os.path.isfile(candidate):
                return candidate
    return path


__all__ = [
    "CHINESE_FAMILIES",
    "MATPLOTLIB_FAMILIES",
    "Face",
    "Family",
    "Glyph",
    "default_families",
    "drawable",
    "face",
    "find_family",
    "installed_fonts",
]
