"""Backdrops: what a setting looks like behind the things. Pale, so that every colour stands out, and without any kind.

Drawn once per setting, style, variant and picture size, then kept.
"""

import math
from functools import lru_cache
from random import Random

import numpy as np
from PIL import Image, ImageDraw

VARIANTS = 4
_WORK = 192  # pixels a backdrop is drawn at before it is resized

Colour = tuple[int, int, int]

# setting: sky at the top, sky at the horizon, ground at the horizon, ground at the bottom
_LAND: dict[str, tuple[Colour, Colour, Colour, Colour]] = {
    "field": ((176, 220, 246), (226, 242, 250), (190, 224, 140), (164, 208, 116)),
    "beach": ((164, 216, 246), (222, 242, 250), (248, 230, 184), (240, 214, 158)),
    "forest": ((196, 226, 214), (216, 236, 220), (166, 196, 134), (146, 178, 116)),
    "farm": ((186, 224, 246), (236, 244, 240), (222, 204, 142), (206, 182, 116)),
    "street": ((196, 216, 236), (226, 234, 242), (188, 190, 196), (168, 170, 178)),
    "snow": ((184, 204, 226), (214, 226, 240), (238, 243, 250), (224, 233, 245)),
    "desert": ((250, 224, 178), (252, 238, 206), (236, 186, 132), (222, 166, 110)),
    "night": ((62, 72, 128), (98, 106, 164), (104, 132, 128), (86, 114, 112)),
    "sea": ((178, 222, 246), (224, 242, 250), (122, 190, 222), (84, 160, 206)),
    "kitchen": ((252, 240, 208), (250, 236, 200), (222, 196, 168), (208, 180, 150)),
    "bedroom": ((226, 214, 240), (232, 222, 244), (214, 184, 152), (198, 166, 134)),
}


def _mix(a: Colour, b: Colour, share: float) -> Colour:
    return tuple(round(x + (y - x) * share) for x, y in zip(a, b, strict=True))


def _gradient(horizon: float, sky: tuple[Colour, Colour], ground: tuple[Colour, Colour]) -> Image.Image:
    rows = []
    for row in range(_WORK):
        y = row / _WORK
        rows.append(_mix(*sky, y / horizon) if y < horizon else _mix(*ground, (y - horizon) / (1 - horizon)))
    column = np.asarray(rows, dtype=np.uint8)[:, None, :]
    return Image.fromarray(np.broadcast_to(column, (_WORK, _WORK, 3)).copy())


def _hills(draw: ImageDraw.ImageDraw, rng: Random, horizon: float, colour: Colour, height: float) -> None:
    phase, waves = rng.uniform(0, 6), rng.uniform(0.8, 1.6)
    top = [
        (x, (horizon - height * (0.6 + 0.4 * math.sin(phase + waves * x * 6.3 / _WORK))) * _WORK)
        for x in range(0, _WORK + 1, 4)
    ]
    draw.polygon([*top, (_WORK, horizon * _WORK + 1), (0, horizon * _WORK + 1)], fill=colour)


def _tufts(draw, rng, horizon, colour, count, step=3.0) -> None:
    for _ in range(count):
        x, y = rng.uniform(0, _WORK), rng.uniform(horizon + 0.04, 0.99) * _WORK
        for dx in (-step, 0, step):
            draw.line([(x, y), (x + dx, y - 5)], fill=colour, width=1)


def _field(draw, rng, horizon) -> None:
    _hills(draw, rng, horizon, (198, 226, 164), 0.1)
    _tufts(draw, rng, horizon, (138, 186, 94), 26)


def _beach(draw, rng, horizon) -> None:
    top = (horizon - 0.12) * _WORK
    draw.rectangle((0, top, _WORK, horizon * _WORK), fill=(138, 200, 226))
    for row in range(3):
        y = top + 5 + row * 7
        for x in range(-10, _WORK, 22):
            draw.arc((x + row * 8, y, x + row * 8 + 12, y + 5), 190, 350, fill=(206, 234, 244), width=2)
    shore = [(x, horizon * _WORK + 3 * math.sin(x / 13 + rng.random())) for x in range(0, _WORK + 1, 6)]
    draw.line(shore, fill=(250, 252, 252), width=4)
    for _ in range(60):
        x, y = rng.uniform(0, _WORK), rng.uniform(horizon + 0.05, 1) * _WORK
        draw.point((x, y), fill=(212, 184, 128))


def _forest(draw, rng, horizon) -> None:
    for shade, count, wide in (((182, 208, 186), 9, 7), ((162, 186, 152), 6, 11)):
        for i in range(count):
            x = (i + rng.uniform(0.1, 0.9)) * _WORK / count
            draw.rectangle((x, 0, x + wide, horizon * _WORK + 3), fill=shade)
    for x in range(-10, _WORK + 10, 15):
        radius = rng.uniform(16, 24)
        draw.ellipse(
            (x - radius, -radius - 2, x + radius, radius - 4),
            fill=_mix((150, 190, 138), (170, 206, 156), rng.random()),
        )
    _tufts(draw, rng, horizon, (122, 156, 92), 24)


def _farm(draw, rng, horizon) -> None:
    _hills(draw, rng, horizon, (208, 222, 150), 0.09)
    y = horizon * _WORK
    for x in range(4, _WORK, 24):
        draw.rectangle((x, y - 22, x + 5, y + 6), fill=(238, 232, 220), outline=(190, 178, 160))
    for bar in (-17, -6):
        draw.rectangle((0, y + bar, _WORK, y + bar + 4), fill=(238, 232, 220), outline=(190, 178, 160))
    vanish = rng.uniform(0.3, 0.7) * _WORK
    for x in range(-_WORK, 2 * _WORK, 30):
        draw.line([(vanish + (x - vanish) * 0.3, y + 7), (x, _WORK)], fill=(192, 166, 104), width=2)


def _street(draw, rng, horizon) -> None:
    y, x = horizon * _WORK, -6.0
    while x < _WORK:
        wide, high = rng.uniform(30, 46), rng.uniform(36, 66)
        wall = _mix((222, 208, 204), (206, 214, 222), rng.random())
        draw.rectangle((x, y - high, x + wide, y), fill=wall, outline=(190, 188, 192))
        for column in range(int(wide // 12)):
            for row in range(int(high // 15)):
                left, top = x + 5 + column * 12, y - high + 6 + row * 14
                draw.rectangle((left, top, left + 5, top + 7), fill=(238, 240, 236))
        x += wide + 1
    draw.rectangle((0, y, _WORK, y + 9), fill=(214, 212, 210))
    middle = (horizon + 0.24) * _WORK
    for x in range(-6, _WORK, 34):
        draw.rectangle((x, middle, x + 18, middle + 4), fill=(234, 234, 232))


def _snow(draw, rng, horizon) -> None:
    _hills(draw, rng, horizon, (228, 236, 246), 0.13)
    for _ in range(44):
        x, y = rng.uniform(0, _WORK), rng.uniform(0, _WORK)
        radius = rng.uniform(1.2, 2.6)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(253, 254, 255))


def _desert(draw, rng, horizon) -> None:
    _hills(draw, rng, horizon, (244, 206, 156), 0.14)
    for _ in range(9):
        x, y = rng.uniform(-20, _WORK), rng.uniform(horizon + 0.06, 0.97) * _WORK
        draw.arc((x, y, x + 46, y + 14), 200, 340, fill=(206, 150, 98), width=2)


def _night(draw, rng, horizon) -> None:
    for _ in range(40):
        x, y = rng.uniform(0, _WORK), rng.uniform(0, horizon - 0.05) * _WORK
        radius = rng.choice((0.7, 0.7, 1.3))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(214, 216, 236))
    _hills(draw, rng, horizon, (84, 100, 134), 0.12)


def _sea(draw, rng, horizon) -> None:
    for row in range(9):
        y = (horizon + 0.03 + row * 0.05) * _WORK
        shift = rng.uniform(0, 24)
        for x in range(-24, _WORK + 24, 24):
            draw.arc((x + shift, y, x + shift + 24, y + 8), 10, 170, fill=(164, 212, 236), width=2)


def _kitchen(draw, rng, horizon) -> None:
    tile = 16
    for x in range(0, _WORK, tile):
        draw.line([(x, 0.16 * _WORK), (x, horizon * _WORK)], fill=(238, 220, 176), width=1)
    for y in range(int(0.16 * _WORK), int(horizon * _WORK), tile):
        draw.line([(0, y), (_WORK, y)], fill=(238, 220, 176), width=1)
    x = rng.choice((12, 108))
    draw.rectangle((x, 0.3 * _WORK, x + 70, horizon * _WORK), fill=(232, 238, 236), outline=(176, 186, 184))
    draw.rectangle((x + 10, 0.38 * _WORK, x + 60, horizon * _WORK - 8), fill=(208, 220, 222), outline=(168, 178, 178))
    for i in range(4):
        draw.ellipse((x + 9 + i * 15, 0.31 * _WORK, x + 17 + i * 15, 0.31 * _WORK + 8), fill=(176, 186, 184))
    for row in range(5):
        for column in range(8):
            if (row + column) % 2:
                draw.rectangle(
                    (column * 24, horizon * _WORK + row * 18, column * 24 + 24, horizon * _WORK + row * 18 + 18),
                    fill=(230, 208, 182),
                )


def _bedroom(draw, rng, horizon) -> None:
    for x in range(6, _WORK, 24):
        draw.rectangle((x, 0, x + 8, horizon * _WORK), fill=(236, 228, 247))
    x = rng.choice((14, 112))
    draw.rectangle((x, 0.36 * _WORK, x + 8, (horizon + 0.08) * _WORK), fill=(198, 162, 128), outline=(166, 130, 98))
    draw.rectangle(
        (x + 6, 0.47 * _WORK, x + 66, (horizon + 0.05) * _WORK), fill=(240, 226, 214), outline=(186, 168, 158)
    )
    draw.ellipse((x + 10, 0.43 * _WORK, x + 32, 0.53 * _WORK), fill=(250, 250, 250), outline=(196, 186, 190))
    draw.rectangle((0, horizon * _WORK - 3, _WORK, horizon * _WORK), fill=(244, 238, 248))
    draw.ellipse((30, 0.78 * _WORK, 162, 0.97 * _WORK), fill=(214, 196, 214), outline=(196, 176, 200))


_DETAILS = {
    "field": _field,
    "beach": _beach,
    "forest": _forest,
    "farm": _farm,
    "street": _street,
    "snow": _snow,
    "desert": _desert,
    "night": _night,
    "sea": _sea,
    "kitchen": _kitchen,
    "bedroom": _bedroom,
}


def _styled(image: Image.Image, style: str, seed: int) -> Image.Image:
    """The backdrop as the drawing style would do it."""
    if style in ("flat", "paper"):
        return image
    pixels = np.asarray(image, dtype=np.float32)
    y, x = np.mgrid[0:_WORK, 0:_WORK].astype(np.float32)
    noise = np.random.default_rng(seed).normal(size=(_WORK, _WORK)).astype(np.float32)
    if style == "crayon":
        streaks = (np.sin((2 * x + y) * 0.30 + 0.6 * noise) > 0.6) * 0.22 + (noise > 1.2) * 0.2
        pixels = pixels + (np.float32(252) - pixels) * streaks[..., None]
    elif style == "pastel":
        pixels = 0.62 * pixels + 0.38 * 252 + 2.0 * noise[..., None]
    elif style == "sketch":
        grey = pixels.mean(-1, keepdims=True)
        hatch = (((x - y) % 9.0) < 1.6)[..., None] * 0.35
        pixels = 0.25 * pixels + 0.75 * 250
        pixels = pixels + (0.8 * grey - pixels) * hatch
    elif style == "dots":
        disc = (((x % 6) - 3) ** 2 + ((y % 6) - 3) ** 2 < 4.2)[..., None] * 0.7 + 0.15
        pixels = 250 + (pixels - 250) * disc
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


@lru_cache(maxsize=1024)
def backdrop(setting: str, style: str, variant: int, size: int) -> Image.Image:
    """The backdrop of a setting, `size` x `size` pixels, RGB. Do not draw on it: it is shared.

    Args:
        setting: a name in `SETTINGS`.
        style: a name in `STYLES`.
        variant: 0 to 2 * `VARIANTS` - 1; the upper half are mirrored.
        size: side in pixels.
    """
    rng = Random(f"{setting} {variant % VARIANTS}")
    horizon = 0.52 + 0.05 * rng.random()
    sky_top, sky_low, ground_far, ground_near = _LAND[setting]
    image = _gradient(horizon, (sky_top, sky_low), (ground_far, ground_near))
    _DETAILS[setting](ImageDraw.Draw(image), rng, horizon)
    image = _styled(image, style, variant)
    if variant >= VARIANTS:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return image.resize((size, size), Image.Resampling.LANCZOS if size < _WORK else Image.Resampling.BICUBIC)
