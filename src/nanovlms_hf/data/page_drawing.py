"""Drawing a page: every character's bitmap at its place, then rotation, colours and noise; and the box of each character.

The boxes follow the page when it is turned, so a network can be told what each patch of the picture shows.
"""

import math
from dataclasses import dataclass
from random import Random

import numpy as np
from PIL import Image

from .fonts import face
from .page_blocks import Block

Colour = tuple[int, int, int]
Glyphs = tuple[str, np.ndarray]

_RULE_DARKNESS = 150  # of 255; a table's lines are lighter than its text


@dataclass(frozen=True)
class Page:
    """A page before it is drawn: what stands where, and what it says.

    Args:
        size: side of the square picture in pixels.
        blocks: the blocks in reading order.
        shift: pixels by which everything is moved down.
        layout: columns and order of the blocks, such as "2|heading|paragraph list|table"; what held-out layouts are about.
        angle: rotation in degrees, counter-clockwise.
        paper, ink: colours as (red, green, blue).
        noise: standard deviation of the grey noise, as a share of the way from black to white.
        noise_seed: seed of the noise.
    """

    size: int
    blocks: tuple[Block, ...]
    shift: int
    layout: str
    angle: float
    paper: Colour
    ink: Colour
    noise: float
    noise_seed: int

    @property
    def text(self) -> str:
        """The page in reading order, its lines as they are on the page."""
        return "\n".join(line.text for block in self.blocks for line in block.lines)

    @property
    def markdown(self) -> str:
        """The page as Markdown: blocks with an empty line between them, paragraphs not broken into lines."""
        return "\n\n".join(block.markdown for block in self.blocks)


@dataclass(frozen=True)
class RenderedPage:
    """A drawn page.

    Args:
        picture: the picture, RGB.
        text: the page in reading order, its lines as they are on the page.
        markdown: the page as Markdown.
        glyphs: (every character of `text` that is not white space, its boxes as float32 of shape (characters, 4)): x1, y1,
            x2, y2 as fractions of the picture's width and height.
    """

    picture: Image.Image
    text: str
    markdown: str
    glyphs: Glyphs


def render_page(page: Page) -> RenderedPage:
    """Draw a page.

    Args:
        page (`Page`): from `make_page`.

    Returns:
        `RenderedPage`: the same for the same page.
    """
    coverage = np.zeros((page.size, page.size), dtype=np.uint8)
    for block in page.blocks:
        for x1, y1, x2, y2 in block.rules:
            coverage[y1 + page.shift : y2 + page.shift, x1:x2] = _RULE_DARKNESS
    characters, boxes = _draw_text(page, coverage)
    if page.angle:
        turned = Image.fromarray(coverage).rotate(page.angle, Image.Resampling.BILINEAR)
        coverage = np.asarray(turned)
        boxes = _turn(boxes, page.angle, page.size)
    fractions = np.clip(boxes / page.size, 0.0, 1.0).astype(np.float32)
    return RenderedPage(_colour(page, coverage), page.text, page.markdown, (characters, fractions))


def _draw_text(page: Page, coverage: np.ndarray) -> Glyphs:
    """Put the characters' bitmaps onto the page; returns them with their boxes in pixels."""
    characters: list[str] = []
    corners: list[int] = []
    for block in page.blocks:
        for line in block.lines:
            for run in line.runs:
                glyphs = face(run.font, run.size).glyphs
                x, y = run.x, run.y + page.shift
                for character in run.text:
                    glyph = glyphs[character]
                    if glyph.mask is not None:
                        height, width = glyph.mask.shape
                        top, left = y + glyph.top, x + glyph.left
                        region = coverage[top : top + height, left : left + width]
                        np.maximum(region, glyph.mask, out=region)
                        x1, y1, x2, y2 = glyph.box
                        characters.append(character)
                        corners += (x + x1, y + y1, x + x2, y + y2)
                    x += glyph.advance
    return "".join(characters), np.array(corners, dtype=np.float64).reshape(-1, 4)  # (characters, 4)


def _turn(boxes: np.ndarray, angle: float, size: int) -> np.ndarray:
    """The upright boxes around the boxes (characters, 4) turned about the middle of the page."""
    cosine, sine, middle = math.cos(math.radians(angle)), math.sin(math.radians(angle)), size / 2
    x = boxes[:, [0, 2, 0, 2]] - middle  # (characters, corners)
    y = boxes[:, [1, 1, 3, 3]] - middle
    across, down = x * cosine + y * sine + middle, y * cosine - x * sine + middle
    return np.stack([across.min(1), down.min(1), across.max(1), down.max(1)], axis=1)


def _colour(page: Page, coverage: np.ndarray) -> Image.Image:
    """Mix paper and ink by coverage (size, size), and add noise."""
    share = np.arange(256)[:, None] / 255  # (coverage values, 1)
    table = (np.array(page.paper) * (1 - share) + np.array(page.ink) * share).round()  # (coverage values, channels)
    if not page.noise:
        return Image.fromarray(table.astype(np.uint8)[coverage])
    noise = np.random.default_rng(page.noise_seed).standard_normal(coverage.shape, dtype=np.float32)
    noisy = table.astype(np.float32)[coverage] + noise[..., None] * np.float32(255 * page.noise)
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def draw_colours(rng: Random, tint: float) -> tuple[Colour, Colour]:
    """Colours of paper and ink: white and black at `tint` 0, up to a light and a dark colour at 1."""
    paper = tuple(255 - round(tint * rng.uniform(0, 45)) for _ in range(3))
    ink = tuple(round(tint * rng.uniform(0, 90)) for _ in range(3))
    return paper, ink


__all__ = ["Page", "RenderedPage", "draw_colours", "render_page"]
