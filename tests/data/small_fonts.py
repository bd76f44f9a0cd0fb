"""Fonts that tests build: every character is one of a few block shapes."""

from pathlib import Path

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

UNITS, WIDTH = 1000, 1000
SHAPES = ((80, 0, 920, 800), (200, -100, 800, 700), (80, 300, 920, 500), (400, 0, 600, 800))


def build_font(path: Path, characters: str, family: str = "Blocks") -> str:
    """Write a TrueType font that has these characters and the space; returns its path."""
    names = [f"shape{number}" for number in range(len(SHAPES))]
    order = [".notdef", "space", *names]
    glyphs = {".notdef": TTGlyphPen(None).glyph(), "space": TTGlyphPen(None).glyph()}
    for name, (left, bottom, right, top) in zip(names, SHAPES, strict=True):
        pen = TTGlyphPen(None)
        pen.moveTo((left, bottom))
        for point in ((left, top), (right, top), (right, bottom)):
            pen.lineTo(point)
        pen.closePath()
        glyphs[name] = pen.glyph()
    builder = FontBuilder(UNITS, isTTF=True)
    builder.setupGlyphOrder(order)
    builder.setupCharacterMap({32: "space"} | {ord(c): names[i % len(names)] for i, c in enumerate(characters)})
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics({name: (WIDTH, 0) for name in order})
    builder.setupHorizontalHeader(ascent=850, descent=-150)
    builder.setupNameTable({"familyName": family, "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=850, sTypoDescender=-150, usWinAscent=850, usWinDescent=150)
    builder.setupPost()
    builder.save(path)
    return str(path)
