"""Checks of what the image processor makes of pictures: blank, saturated, rescaled twice or not at all.

Contrast is compared before and after at the same coarse size, so that resizing, cropping and any usual normalisation pass: a
processor multiplies it by 1 (pixels in 0..1) to about 5 (normalised by a small deviation).
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import adaptive_avg_pool2d

from ..image_processing_nanovlms import to_rgb
from .case import Case, pixel_keys
from .examples import pictures_of
from .finding import WARNING, Finding

_COARSE = 8
_LEAST_CONTRAST = 0.01  # of a picture with 0..1 pixels; below it a ratio says nothing
_LOST, _GAINED = 0.1, 50.0  # ratios of contrast: 1/255 and 255, with room for any normalisation
_AT_AN_EXTREME, _WAS_AT_AN_EXTREME = 0.9, 0.5
_CONSTANT = 1e-4


@dataclass(frozen=True)
class _View:
    """A row's pictures before and after the processor: contrast, range and the share of values at an extreme."""

    key: str
    contrast_before: float
    contrast_after: float
    range_before: float
    range_after: float
    largest: float
    extremes_before: float
    extremes_after: float

    @property
    def ratio(self) -> float | None:
        return self.contrast_after / self.contrast_before if self.contrast_before > _LEAST_CONTRAST else None

    @property
    def constant_after(self) -> bool:
        return self.range_after <= _CONSTANT * max(1.0, self.largest)


def check_pictures(case: Case) -> list[Finding]:
    """What is wrong with all pictures of the rows that have some, as the model gets them."""
    views = [view for row, single in zip(case.rows, case.singles, strict=True) for view in _views(row, single)]
    findings = []
    for key in sorted({view.key for view in views}):
        finding = _judge(key, [view for view in views if view.key == key])
        findings += [finding] if finding else []
    return findings


def _judge(key: str, views: list[_View]) -> Finding | None:
    telling = [view for view in views if view.range_before > _CONSTANT]
    if not telling:
        return _source_pictures_blank(len(views))

    def every(test: Callable[[_View], bool]) -> bool:
        return all(map(test, telling))

    if every(lambda view: view.constant_after):
        return _finding(
            "pictures_blank", f"every value of `{key}` is the same ({telling[0].largest:.3g})", "see nothing"
        )
    if every(lambda view: view.ratio is not None and view.ratio < _LOST):
        return _rescaled_twice(key, telling[0])
    if every(lambda view: view.ratio is not None and view.ratio > _GAINED):
        return _not_rescaled(key, telling[0])
    if every(lambda v: v.extremes_after >= _AT_AN_EXTREME and v.extremes_before < _WAS_AT_AN_EXTREME):
        return _finding(
            "pictures_saturated",
            f"{telling[0].extremes_after:.0%} of `{key}` are at their smallest or largest value, of the pictures themselves "
            f"{telling[0].extremes_before:.0%}",
            "see outlines at best",
        )
    return None


def _finding(code: str, what: str, consequence: str) -> Finding:
    return Finding(
        code,
        f"{what} after the image processor",
        f"the tower and all behind it {consequence}: the words alone are learned",
        "process one picture by itself and look at it; check do_rescale, rescale_factor, image_mean, image_std and any clipping",
    )


def _rescaled_twice(key: str, view: _View) -> Finding:
    return Finding(
        "pictures_rescaled_twice",
        f"`{key}` keeps {view.ratio:.4f} of the pictures' contrast",
        "all pictures look alike to the tower, nearly one colour",
        "rescale by 1/255 once: give pixels in 0..255 or set do_rescale=False, and give image_mean and image_std in units of 0..1",
    )


def _not_rescaled(key: str, view: _View) -> Finding:
    return Finding(
        "pictures_not_rescaled",
        f"`{key}` has {view.ratio:.0f} times the contrast of the pictures, with values up to {view.largest:.0f}",
        "the tower was made for values of about -2..2: its activations explode or saturate",
        "set do_rescale=True and rescale_factor=1/255, or give pixels in 0..1 only where the processor does not rescale",
    )


def _source_pictures_blank(number: int) -> Finding:
    return Finding(
        "source_pictures_blank",
        f"the pictures of all {number} example(s) looked at have one colour each",
        "nothing can be learned from them but their colour",
        "look at the source's picture column: a blank or failed rendering, or stand-ins for missing files",
        WARNING,
    )


def _views(row: dict[str, Any], batch: dict[str, Any]) -> list[_View]:
    originals = [array for array in map(_as_array, pictures_of(row)) if array is not None]
    if not originals:
        return []
    before = torch.cat([array.flatten() for array in originals])
    contrast = float(torch.stack([_coarse(array[None]).std() for array in originals]).mean())
    views = []
    for key in pixel_keys(batch):
        value = batch[key].detach().float().cpu()
        seen = value[_inside(batch, value)] if value.ndim == 5 else value.flatten()
        views.append(
            _View(
                key=key,
                contrast_before=contrast,
                contrast_after=float(_coarse(value).std()),
                range_before=max(_range(array[None]) for array in originals),
                range_after=_range(value) if value.ndim == 4 else float(seen.max() - seen.min()),
                largest=float(seen.abs().max()),
                extremes_before=_share_at_extremes(before),
                extremes_after=_share_at_extremes(seen),
            )
        )
    return views


def _inside(batch: dict[str, Any], value: torch.Tensor) -> torch.Tensor:
    """Where the pixels of pictures are that were padded to one size; a mask of the shape of `value`."""
    mask = batch.get("pixel_attention_mask")
    if not isinstance(mask, torch.Tensor) or mask.shape != value.shape[:2] + value.shape[-2:]:
        return torch.ones_like(value, dtype=torch.bool)
    return mask.bool().cpu()[:, :, None].expand_as(value)  # (rows, pictures, channels, height, width)


def _coarse(pictures: torch.Tensor) -> torch.Tensor:
    """Pictures `(..., channels, height, width)` at 8x8; patches `(patches, values)` as one value each."""
    if pictures.ndim < 4:
        return pictures.mean(-1)
    return adaptive_avg_pool2d(pictures.flatten(0, -4), _COARSE)


def _range(pictures: torch.Tensor) -> float:
    """The largest range of values in a channel of pictures `(pictures, channels, height, width)`."""
    channels = pictures.flatten(2)  # (pictures, channels, pixels)
    return float((channels.amax(-1) - channels.amin(-1)).max())


def _share_at_extremes(values: torch.Tensor) -> float:
    low, high = values.min(), values.max()
    margin = 0.01 * (high - low)
    return float(((values <= low + margin) | (values >= high - margin)).float().mean())


def _as_array(picture: Any) -> torch.Tensor | None:
    """A picture as `(3, height, width)` with values in 0..1; None for what cannot be read here."""
    try:
        if isinstance(picture, dict):
            picture = picture.get("bytes") or picture.get("path")
        if isinstance(picture, bytes):
            picture = Image.open(io.BytesIO(picture))
        elif isinstance(picture, (str, Path)):
            picture = Image.open(picture)
        if isinstance(picture, Image.Image):
            picture = np.asarray(to_rgb(picture))
    except (OSError, ValueError):
        return None
    if not isinstance(picture, (np.ndarray, torch.Tensor)) or picture.ndim != 3:
        return None
    array = torch.as_tensor(np.array(picture)).float()
    if array.shape[0] not in (1, 3):
        array = array.permute(2, 0, 1)
    return array / 255 if array.max() > 1.5 else array


__all__ = ["check_pictures"]
