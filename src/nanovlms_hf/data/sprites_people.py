"""How people are drawn: one body, several things to do. The tint is the colour of the clothes."""

from .pen import DARK, INK, LIGHT, MAIN, PALE, ROSE, SKIN, WHITE, Pen, Points, box, oval, smooth

BROWN, BLACK, BLOND = (112, 70, 42), (52, 44, 46), (236, 190, 92)


def _limb(p: Pen, points: Points, width: float, fill=SKIN) -> None:
    p.line(smooth(points, closed=False), width, fill, outline=True)


def _shoe(p: Pen, x: float, y: float, turn: float = 0.0) -> None:
    p.shape(oval(x, y, 7.5, 4.6, turn), INK)


def _girl_head(p: Pen, x: float, y: float, hair, swing: float = 0.0) -> None:
    p.shape(
        smooth(
            [
                (x - 19, y - 6),
                (x, y - 23),
                (x + 19, y - 6),
                (x + 22 + swing, y + 22),
                (x + 12 + swing, y + 27),
                (x - 12 + swing, y + 27),
                (x - 22 + swing, y + 22),
            ]
        ),
        hair,
    )
    p.shape(oval(x, y, 17, 17), SKIN)
    p.shape(
        smooth(
            [
                (x - 18, y - 2),
                (x - 12, y - 17),
                (x, y - 21),
                (x + 12, y - 17),
                (x + 18, y - 2),
                (x + 8, y - 9),
                (x - 8, y - 10),
            ]
        ),
        hair,
        outline=False,
    )
    (
        p.shape([(x + 8, y - 17), (x + 18, y - 24), (x + 19, y - 12)], ROSE),
        p.shape([(x + 8, y - 17), (x - 1, y - 25), (x, y - 13)], ROSE),
    )
    _face(p, x, y)


def _boy_head(p: Pen, x: float, y: float, hair) -> None:
    p.shapes([oval(x - 17, y + 1, 4, 5), oval(x + 17, y + 1, 4, 5)], SKIN)
    p.shape(oval(x, y, 17, 17), SKIN)
    p.shape(
        smooth(
            [
                (x - 18, y - 1),
                (x - 17, y - 14),
                (x - 6, y - 22),
                (x + 8, y - 21),
                (x + 17, y - 13),
                (x + 18, y - 1),
                (x + 11, y - 9),
                (x, y - 11),
                (x - 11, y - 8),
            ]
        ),
        hair,
    )
    _face(p, x, y)


def _face(p: Pen, x: float, y: float) -> None:
    p.dot(x - 6.5, y + 1, 2.8), p.dot(x + 6.5, y + 1, 2.8)
    p.smile(x, y + 5, 6.5, 2.2)
    p.dot(x - 11, y + 6, 3, ROSE), p.dot(x + 11, y + 6, 3, ROSE)


def _dress(p: Pen, x: float, top: float, bottom: float, lean: float = 0.0, flare: float = 22.0) -> None:
    p.shape(
        smooth(
            [
                (x - 9 + lean, top),
                (x + 9 + lean, top),
                (x + 13, (top + bottom) / 2),
                (x + flare, bottom - 3),
                (x, bottom + 1),
                (x - flare, bottom - 3),
                (x - 13, (top + bottom) / 2),
            ]
        )
    )
    p.line([(x - flare * 0.8, bottom - 5), (x, bottom - 3), (x + flare * 0.8, bottom - 5)], 3, LIGHT)


def _shirt(p: Pen, x: float, top: float, bottom: float, lean: float = 0.0) -> None:
    p.shape(
        smooth(
            [
                (x - 12 + lean, top),
                (x + 12 + lean, top),
                (x + 15, (top + bottom) / 2),
                (x + 13, bottom),
                (x - 13, bottom),
                (x - 15, (top + bottom) / 2),
            ]
        )
    )
    p.line([(x - 12 + lean / 2, (top + bottom) / 2), (x + 12 + lean / 2, (top + bottom) / 2)], 4, LIGHT)


def running_girl(p: Pen) -> None:
    _limb(p, [(54, 70), (72, 78), (92, 70)], 8), _shoe(p, 95, 66, -70)
    _limb(p, [(46, 70), (26, 78), (22, 96)], 8), _shoe(p, 17, 98)
    _limb(p, [(52, 46), (72, 52), (78, 40)], 7)
    _dress(p, 52, 38, 74, lean=-8, flare=23)
    _limb(p, [(40, 46), (24, 58), (12, 48)], 7)
    _girl_head(p, 40, 18, BLOND, swing=12)


def running_boy(p: Pen) -> None:
    _limb(p, [(54, 68), (74, 76), (92, 68)], 10, DARK), _shoe(p, 96, 64, -70)
    _limb(p, [(48, 68), (28, 76), (22, 96)], 10, DARK), _shoe(p, 17, 98)
    _limb(p, [(52, 46), (72, 54), (80, 42)], 7)
    _shirt(p, 50, 38, 72, lean=-8)
    _limb(p, [(40, 46), (24, 58), (10, 48)], 7)
    _boy_head(p, 40, 18, BROWN)


def dancing_girl(p: Pen) -> None:
    _limb(p, [(44, 74), (42, 86), (44, 98)], 8), _shoe(p, 40, 101)
    _limb(p, [(56, 74), (78, 80), (94, 70)], 8), _shoe(p, 98, 67, -40)
    for side in (-1, 1):
        _limb(p, [(50 + side * 8, 46), (50 + side * 30, 36), (50 + side * 32, 6)], 7)
    _dress(p, 50, 40, 78, flare=35)
    for x in (32, 50, 68):
        p.dot(x, 66, 3.2, PALE)
    _girl_head(p, 50, 20, BLACK)


def reading_girl(p: Pen) -> None:
    p.shape(smooth([(12, 92), (24, 78), (50, 74), (76, 78), (88, 92), (74, 99), (26, 99)]), DARK)
    p.shapes([smooth([(34, 42), (66, 42), (78, 70), (76, 92), (24, 92), (22, 70)])])
    _girl_head(p, 50, 18, BROWN)
    for side in (-1, 1):
        p.line(
            smooth([(50 + side * 22, 54), (50 + side * 32, 68), (50 + side * 26, 76)], closed=False),
            9,
            MAIN,
            outline=True,
        )
    for side in (-1, 1):
        p.shape(
            smooth(
                [
                    (50, 66),
                    (50 + side * 14, 61),
                    (50 + side * 27, 63),
                    (50 + side * 27, 83),
                    (50 + side * 14, 81),
                    (50, 87),
                ]
            ),
            WHITE,
        )
        for y in (70, 76):
            p.line([(50 + side * 6, y), (50 + side * 21, y - 2)], 1.8, INK)
        p.shape(oval(50 + side * 28, 76, 4.5, 5.5), SKIN)
    p.line([(50, 66), (50, 86)], 2.2, INK)


def waving_boy(p: Pen) -> None:
    for side in (-1, 1):
        (
            _limb(p, [(50 + side * 7, 70), (50 + side * 8, 84), (50 + side * 8, 98)], 10, DARK),
            _shoe(p, 50 + side * 11, 102),
        )
    _limb(p, [(60, 46), (80, 36), (86, 10)], 7), p.shape(oval(87, 5, 7, 8), SKIN)
    for x in (83, 87, 91):
        p.line([(x, 0), (x + (x - 87) * 0.5, -7)], 3.4, SKIN)
    _limb(p, [(40, 46), (28, 58), (28, 72)], 7)
    _shirt(p, 50, 38, 74)
    _boy_head(p, 50, 18, BLOND)


def jumping_boy(p: Pen) -> None:
    for side in (-1, 1):
        _limb(p, [(50 + side * 7, 66), (50 + side * 30, 66), (50 + side * 24, 84)], 10, DARK)
        _shoe(p, 50 + side * 25, 88, side * -20)
        _limb(p, [(50 + side * 10, 42), (50 + side * 30, 30), (50 + side * 36, 4)], 7)
        p.line([(50 + side * 34, 100), (50 + side * 14, 100)], 3, (110, 110, 122))
    p.line([(42, 106), (58, 106)], 3, (110, 110, 122))
    _shirt(p, 50, 34, 68)
    _boy_head(p, 50, 14, BLACK)


def sleeping_baby(p: Pen) -> None:
    p.shape(smooth([(-10, 54), (4, 44), (34, 46), (42, 60), (38, 82), (10, 86), (-8, 76)]), WHITE)
    p.shape(oval(22, 58, 20, 20), SKIN)
    p.line(smooth([(14, 40), (22, 34), (26, 41)], closed=False), 3, BROWN)
    p.line(oval(14, 58, 4, 3.4, 0, 10, 170), 2.2), p.line(oval(29, 58, 4, 3.4, 0, 10, 170), 2.2)
    p.smile(22, 66, 4.5, 2), p.dot(9, 66, 3.2, ROSE), p.dot(35, 66, 3.2, ROSE)
    p.shape(smooth([(36, 62), (48, 46), (74, 44), (104, 56), (110, 76), (104, 90), (40, 90), (32, 78)]))
    p.line(smooth([(38, 64), (48, 50), (60, 47)], closed=False), 6, PALE)
    for x, y in ((60, 64), (78, 58), (94, 68), (70, 78), (88, 80), (52, 78)):
        p.dot(x, y, 3.4, LIGHT)
    p.shape(box(-8, 86, 108, 94, 4), LIGHT)


PEOPLE = {
    draw.__name__.replace("_", " "): draw
    for draw in (
        running_girl,
        running_boy,
        dancing_girl,
        reading_girl,
        waving_boy,
        jumping_boy,
        sleeping_baby,
    )
}
