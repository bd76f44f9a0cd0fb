"""Sprites: each kind drawn once per style and pose, kept in a form that takes any colour with two pastes.

A sprite's pixel is `fixed + share * colour` (see `pen`). It is kept as two layers that give the same sum when pasted one
after the other: a mask through which the plain colour is pasted, and a picture with its own transparency on top.
All sprites are cut tight to their drawn pixels, so stretching one to a box makes that box exact.
"""

from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from PIL import Image, ImageFilter

from .pen import Pen
from .sprites_animals import ANIMALS
from .sprites_people import PEOPLE
from .sprites_things import THINGS
from .vocabulary import KINDS

DRAWINGS = {**ANIMALS, **THINGS, **PEOPLE}
POSES = (0.0, -7.0, 7.0)  # degrees; things that do not tilt only use the first
_PIXELS = 240  # side of a drawn sprite's square
_FACTORS = (1, 2, 4, 8)

_OUTLINE = {"flat": 2.2, "crayon": 2.2, "pastel": 0.0, "paper": 0.0, "sketch": 2.2, "dots": 2.2}


@dataclass(frozen=True)
class Sprite:
    """One kind in one style and pose, at several resolutions, largest first: (tint mask, fixed layer) pairs."""

    levels: tuple[tuple[Image.Image, Image.Image], ...]

    def level_for(self, width: int, height: int) -> tuple[Image.Image, Image.Image]:
        """The smallest stored level of at least `width` x `height` pixels, else the largest."""
        for mask, fixed in reversed(self.levels):
            if mask.width >= width and mask.height >= height:
                return mask, fixed
        return self.levels[0]


@lru_cache(maxsize=48)
def _drawn(name: str, tint: tuple[int, int, int], outline: float) -> Image.Image:
    """The upright drawing of a kind, premultiplied."""
    pen = Pen(tint, 2 * _PIXELS, outline)
    DRAWINGS[name](pen)
    return pen.image.convert("RGBa").reduce(2)


def _draw(name: str, tint: tuple[int, int, int], outline: float, pose: int) -> np.ndarray:
    """The drawing in a pose as premultiplied float RGBA, (pixels, pixels, 4), 0 to 1."""
    image = _drawn(name, tint, outline)
    if POSES[pose]:
        bands = [band.rotate(POSES[pose], Image.Resampling.BICUBIC) for band in image.split()]
        return np.stack([np.asarray(band, dtype=np.float32) for band in bands], axis=-1) / 255.0
    return np.asarray(image, dtype=np.float32) / 255.0


def _bounds(alpha: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero((alpha > 0.4).any(1)), np.flatnonzero((alpha > 0.4).any(0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


@cache
def aspect(name: str, pose: int = 0) -> float:
    """Width over height of the drawn pixels of a kind in a pose."""
    left, upper, right, lower = _bounds(_draw(name, (0, 0, 0), 2.2, pose)[..., 3])
    return float((right - left) / (lower - upper))


@cache
def _noise_field(smooth: float, seed: int) -> np.ndarray:
    field = np.random.default_rng(seed).integers(0, 256, (_PIXELS, _PIXELS), dtype=np.uint8)
    blurred = np.asarray(Image.fromarray(field).filter(ImageFilter.GaussianBlur(smooth)), dtype=np.float32)
    return (blurred - blurred.mean()) / (blurred.std() + 1e-6)


def _noise(shape: tuple[int, int], smooth: float, seed: int) -> np.ndarray:
    """Smooth noise of unit spread."""
    return _noise_field(smooth, seed % 23)[: shape[0], : shape[1]]


def _blur(plane: np.ndarray, radius: float) -> np.ndarray:
    image = Image.fromarray((np.clip(plane, 0, 1) * 255).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(radius)), dtype=np.float32) / 255.0


def _crayon(fixed, share, alpha, lines, seed):
    """Waxy strokes: edges wobble, slanted streaks let the paper through."""
    height, width = alpha.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    dx, dy = 1.7 * _noise(alpha.shape, 5, seed), 1.7 * _noise(alpha.shape, 5, seed + 1)
    rows = np.clip(y + dy, 0, height - 1).astype(int)
    columns = np.clip(x + dx, 0, width - 1).astype(int)
    fixed, share, alpha, lines = (plane[rows, columns] for plane in (fixed, share, alpha, lines))
    streaks = np.sin((x + 1.6 * y) * 0.62 + 2.0 * _noise(alpha.shape, 6, seed + 2))
    grain = _noise(alpha.shape, 0.8, seed + 3)
    wax = np.clip(0.98 - 0.22 * (streaks > 0.55) - 0.16 * (grain > 0.9), 0.0, 1.0)
    pale = (1.0 - np.where(lines > 0.5, 1.0, wax)) * alpha
    return fixed * wax[..., None] + 0.96 * pale[..., None], share * wax, alpha


def _pastel(fixed, share, alpha, lines, seed):
    """Chalk: lighter colours, soft shading towards the lower edge, a soft darker rim and no outline."""
    rim = np.clip((_blur(alpha, 4.0) - 0.45) / 0.45, 0.0, 1.0)
    shade = 0.52 + 0.48 * rim
    white = 0.16 * alpha * shade
    soft = _blur(alpha, 0.9)
    ratio = np.where(alpha > 0.01, soft / np.maximum(alpha, 0.01), 0.0).clip(0, 1)
    fixed = (0.84 * fixed * shade[..., None] + white[..., None]) * ratio[..., None]
    return fixed, 0.84 * share * shade * ratio, alpha * ratio


def _paper(fixed, share, alpha, lines, seed):
    """Cut paper: a white edge around the thing, a thin grey line around that, fine paper grain."""
    near = _blur(alpha, 3.0)
    wide, wider = np.clip(9.0 * near - 0.4, 0, 1), np.clip(16.0 * near - 0.1, 0, 1)
    wide = np.maximum(wide, alpha)
    grain = 1.0 - 0.05 * np.clip(_noise(alpha.shape, 0.7, seed), -1, 2)
    border = np.clip(wide - alpha, 0, 1)
    rim = np.clip(wider - wide, 0, 1)
    fixed = fixed * grain[..., None] + 0.97 * border[..., None] + 0.35 * rim[..., None]
    return fixed, share * grain, np.clip(alpha + border + rim, 0, 1)


def _sketch(fixed, share, alpha, lines, seed):
    """Line art: coloured outlines and hatching on nearly white paper."""
    height, width = alpha.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    hatch = (((x + y + 2.5 * _noise(alpha.shape, 6, seed)) % 11.0) < 6.6).astype(np.float32)
    keep = np.maximum(_blur(hatch, 0.6), lines)
    keep = 0.34 + 0.66 * keep
    return fixed * keep[..., None] + (0.98 * (1 - keep) * alpha)[..., None], share * keep, alpha


def _dots(fixed, share, alpha, lines, seed):
    """Printed dots: colour in a slanted grid of discs on a paler ground."""
    height, width = alpha.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    u, v = (x + y) / 10.0, (x - y) / 10.0
    disc = ((u % 1 - 0.5) ** 2 + (v % 1 - 0.5) ** 2 < 0.2).astype(np.float32)
    keep = np.maximum(_blur(disc, 0.6), lines)
    keep = 0.6 + 0.4 * keep
    return fixed * keep[..., None] + (0.98 * (1 - keep) * alpha)[..., None], share * keep, alpha


_FINISH = {"crayon": _crayon, "pastel": _pastel, "paper": _paper, "sketch": _sketch, "dots": _dots}


def _layers(fixed: np.ndarray, share: np.ndarray, alpha: np.ndarray) -> tuple[Image.Image, Image.Image]:
    """Turn `fixed + share * colour` under `alpha` into a tint mask and a fixed layer to paste over it."""
    share = np.clip(share, 0.0, alpha)
    over = alpha - share  # how much of the plain colour the fixed layer covers
    mask = np.where(over < 0.995, share / np.maximum(1.0 - over, 1e-3), alpha)
    straight = np.clip(fixed / np.maximum(over, 1e-3)[..., None], 0.0, 1.0)
    rgba = np.concatenate([straight, over[..., None]], axis=-1)
    to_bytes = lambda plane: np.rint(np.clip(plane, 0, 1) * 255).astype(np.uint8)  # noqa: E731
    return Image.fromarray(to_bytes(mask)), Image.fromarray(to_bytes(rgba), "RGBA")


def _parts(name: str, style: str, pose: int) -> tuple[Image.Image, Image.Image]:
    """A kind's two layers at full resolution."""
    outline = _OUTLINE[style]
    dark, light = _draw(name, (0, 0, 0), outline, pose), _draw(name, (255, 255, 255), outline, pose)
    left, upper, right, lower = _bounds(dark[..., 3])
    around = np.s_[max(0, upper - 8) : lower + 8, max(0, left - 8) : right + 8]  # room for what a style adds
    dark, light = dark[around], light[around]
    alpha = dark[..., 3]
    fixed, share = dark[..., :3], (light[..., :3] - dark[..., :3]).mean(-1)
    if style in _FINISH:
        lines = np.zeros_like(alpha)
        if outline:
            bare = _draw(name, (255, 255, 255), 0.0, pose)[around]
            lines = (np.abs(light[..., :3] - bare[..., :3]).max(-1) > 0.25).astype(np.float32)
            dark_ink = (light[..., :3].max(-1) < 0.3) & (alpha > 0.5)  # eyes, mouths and the like stay crisp
            lines = np.maximum(lines, dark_ink)
        fixed, share, alpha = _FINISH[style](fixed, share, alpha, lines, 5 * _ORDER[name] + pose)
    left, upper, right, lower = _bounds(alpha)
    cut = np.s_[upper:lower, left:right]
    return _layers(fixed[cut], share[cut], alpha[cut])


_ORDER = {name: position for position, name in enumerate(sorted(KINDS))}
COARSE_PIXELS = 90  # things up to this long are drawn from half resolution, which needs a quarter of the memory


@cache
def sprite(name: str, style: str, pose: int, fine: bool) -> Sprite:
    """The sprite of a kind.

    Args:
        name: a name in `KINDS`.
        style: a name in `STYLES`.
        pose: index into `POSES`.
        fine: keep the full resolution too, for things longer than `COARSE_PIXELS`.
    """
    mask, fixed = _parts(name, style, pose)
    factors = _FACTORS if fine else _FACTORS[1:]
    return Sprite(tuple((mask.reduce(factor), fixed.reduce(factor)) for factor in factors))
