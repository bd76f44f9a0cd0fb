"""How toys, vehicles, food, plants, household things and weather are drawn, on the 100 x 100 units of a `Pen`."""

from .pen import (
    CREAM,
    DARK,
    DEEP,
    GOLD,
    GREY,
    INK,
    LEAF,
    LIGHT,
    MAIN,
    PALE,
    ROSE,
    SILVER,
    WHITE,
    WOOD,
    Pen,
    box,
    oval,
    smooth,
    spokes,
)

GLASS, FLAME, TYRE = (196, 228, 244), (255, 150, 40), (58, 56, 62)


def _wheel(p: Pen, x: float, y: float, radius: float) -> None:
    p.shape(oval(x, y, radius, radius), TYRE)
    p.dot(x, y, radius * 0.5, SILVER)
    p.dot(x, y, radius * 0.18, TYRE)


def ball(p: Pen) -> None:
    p.shape(oval(50, 50, 48, 48))
    p.shape(
        [
            *oval(50, 50, 47, 47, 0, 157, 203),
            *oval(50, 22, 50, 22, 0, 165, 15)[::1],
            *oval(50, 50, 47, 47, 0, -23, 23),
            *oval(50, 58, 50, 24, 0, 15, 165),
        ],
        WHITE,
        outline=False,
    )
    p.shape(oval(32, 20, 10, 6, -35), LIGHT, outline=False)


def balloon(p: Pen) -> None:
    p.line(smooth([(50, 66), (46, 78), (54, 88), (48, 98), (52, 106)], closed=False), 2, GREY)
    p.shape([(50, 58), (59, 70), (41, 70)], DARK)
    p.shape(smooth([(50, -8), (74, 0), (84, 24), (72, 48), (50, 62), (28, 48), (16, 24), (26, 0)]))
    p.shape(oval(36, 14, 6, 12, 25), PALE, outline=False)


def kite(p: Pen) -> None:
    tail = smooth([(50, 72), (62, 80), (48, 90), (60, 98), (54, 108)], closed=False)
    p.line(tail, 2.2, INK)
    for x, y in ((57, 80), (52, 90), (58, 101)):
        (
            p.shape([(x, y), (x - 9, y - 5), (x - 9, y + 5)], LIGHT),
            p.shape([(x, y), (x + 9, y - 5), (x + 9, y + 5)], LIGHT),
        )
    p.shape([(50, -10), (88, 26), (50, 74), (12, 26)])
    p.shape([(50, -10), (88, 26), (50, 26)], LIGHT, outline=False)
    p.shape([(50, 26), (50, 74), (12, 26)], DARK, outline=False)
    p.line([(50, -10), (50, 74)], 2, DEEP), p.line([(12, 26), (88, 26)], 2, DEEP)


def robot(p: Pen) -> None:
    p.line([(50, 2), (50, -8)], 3, GREY), p.shape(oval(50, -9, 4, 4), GOLD)
    for side in (-1, 1):
        p.shape(box(50 + side * 36 - 6, 48, 50 + side * 36 + 6, 78, 5), SILVER)
        p.shape(oval(50 + side * 36, 81, 8, 7), DARK)
        p.shape(box(50 + side * 14 - 8, 82, 50 + side * 14 + 8, 97, 2), SILVER)
    p.shape(box(24, 44, 76, 86, 5))
    p.shape(box(34, 52, 66, 74, 3), PALE, outline=False)
    p.dot(42, 63, 4.5, ROSE), p.dot(51, 63, 4.5, GOLD), p.dot(60, 63, 4.5, LEAF)
    p.shape(box(22, 2, 78, 42, 6))
    p.shape(box(32, 11, 45, 24), WHITE), p.shape(box(55, 11, 68, 24), WHITE)
    p.shape(box(36, 15, 42, 21), INK, outline=False), p.shape(box(58, 15, 64, 21), INK, outline=False)
    p.shape(box(36, 30, 64, 36), SILVER, outline=False)
    for x in (43, 50, 57):
        p.line([(x, 30), (x, 36)], 1.5)


def drum(p: Pen) -> None:
    p.line([(22, 6), (54, 32)], 4, WOOD, outline=True), p.line([(78, 4), (46, 32)], 4, WOOD, outline=True)
    p.shape([*oval(50, 84, 42, 13, 0, 0, 180), (8, 38), (92, 38)])
    for x0, x1 in ((8, 28), (28, 50), (50, 72), (72, 92)):
        p.line([(x0, 46), ((x0 + x1) / 2, 88), (x1, 46)], 2.4, GOLD)
    p.line(oval(50, 84, 42, 13, 0, 0, 180), 4, DARK)
    p.shape(oval(50, 36, 43, 14), CREAM)
    p.shape(oval(22, 8, 6, 5), WOOD), p.shape(oval(78, 6, 6, 5), WOOD)
    p.line([(34, 16), (54, 33)], 4, WOOD), p.line([(67, 14), (46, 33)], 4, WOOD)


def car(p: Pen) -> None:
    p.shapes([smooth([(18, 52), (28, 28), (38, 20), (66, 20), (76, 30), (84, 52)]), box(-6, 46, 106, 76, 10)])
    p.shape([(28, 46), (36, 28), (49, 27), (49, 46)], GLASS), p.shape([(55, 46), (55, 27), (66, 28), (74, 46)], GLASS)
    p.shape(oval(-3, 58, 4, 5), GOLD), p.shape(oval(103, 58, 3, 5), ROSE)
    p.line([(52, 52), (52, 70)], 1.8, DEEP), p.line([(58, 56), (64, 56)], 2.4, DEEP)
    _wheel(p, 20, 76, 14), _wheel(p, 80, 76, 14)


def bus(p: Pen) -> None:
    p.shape(box(-10, 18, 110, 78, 9))
    for x in (-2, 20, 42, 64):
        p.shape(box(x, 27, x + 17, 46, 2), GLASS)
    p.shape(box(88, 27, 105, 76, 2), GLASS), p.line([(96.5, 28), (96.5, 74)], 2, GREY)
    p.line([(-8, 56), (84, 56)], 5, PALE)
    p.shape(oval(-6, 67, 4, 4), GOLD)
    _wheel(p, 16, 80, 13), _wheel(p, 72, 80, 13)


def train(p: Pen) -> None:
    p.shapes([oval(22, 2, 12, 8), oval(38, -7, 10, 7)], (222, 222, 228))
    p.shape([(8, 14), (28, 14), (24, 22), (24, 40), (12, 40), (12, 22)], DARK)
    p.shape(oval(42, 37, 8, 9), GOLD)
    p.shape(box(58, 10, 104, 72, 3)), p.shape(box(52, 4, 110, 14, 4), DARK)
    p.shape(box(68, 22, 94, 44, 2), GLASS)
    p.shape(box(0, 38, 64, 74, 10))
    p.shape(oval(1, 56, 6, 16), LIGHT)
    p.shape([(-2, 74), (8, 74), (4, 90), (-12, 90)], GREY)
    p.line([(26, 40), (26, 72)], 3, LIGHT), p.line([(44, 40), (44, 72)], 3, LIGHT)
    _wheel(p, 20, 82, 11), _wheel(p, 46, 82, 11), _wheel(p, 84, 78, 16)
    p.line([(20, 82), (84, 80)], 3, SILVER)


def boat(p: Pen) -> None:
    p.line([(50, 4), (50, 62)], 4, WOOD, outline=True)
    p.shape([(55, 6), (94, 50), (55, 50)], WHITE), p.shape([(45, 14), (14, 50), (45, 50)], CREAM)
    p.shape([(50, -8), (66, -2), (50, 4)], MAIN)
    p.shape(smooth([(-8, 58), (20, 60), (50, 61), (80, 60), (108, 58), (96, 82), (80, 94), (20, 94), (4, 82)]))
    p.line([(0, 67), (100, 67)], 4, PALE)
    p.dot(30, 80, 5, LIGHT), p.dot(50, 80, 5, LIGHT), p.dot(70, 80, 5, LIGHT)


def plane(p: Pen) -> None:
    p.shape([(86, 42), (104, 8), (112, 10), (104, 50)], DARK)
    p.shape([(54, 46), (72, 14), (82, 14), (74, 48)], DARK)
    p.shape(smooth([(-12, 54), (0, 42), (30, 38), (80, 40), (108, 46), (104, 58), (70, 66), (20, 68), (-4, 64)]))
    p.shape(smooth([(-4, 48), (8, 42), (18, 42), (16, 51)]), GLASS)
    for x in (28, 40, 52, 64, 76):
        p.shape(oval(x, 49, 3.6, 4), GLASS)
    p.shape([(40, 58), (66, 58), (88, 90), (76, 92)], LIGHT)


def bike(p: Pen) -> None:
    for x in (16, 84):
        p.line(oval(x, 68, 23, 23), 5, TYRE)
        for start, end in (((x - 22, 68), (x + 22, 68)), ((x, 46), (x, 90))):
            p.line([start, end], 1.4, GREY)
        p.dot(x, 68, 4, GREY)
    for points in (
        [(84, 68), (68, 34), (30, 38), (48, 68), (84, 68)],
        [(16, 68), (30, 38)],
        [(48, 68), (68, 34)],
        [(16, 68), (48, 68)],
        [(16, 68), (26, 28)],
        [(68, 34), (66, 24)],
    ):
        p.line(points, 5.5, MAIN, outline=True)
    p.line([(84, 68), (68, 34), (30, 38), (48, 68), (84, 68)], 5.5, MAIN)
    p.line([(48, 68), (68, 34)], 5.5, MAIN)
    p.line(smooth([(38, 22), (28, 24), (18, 20), (14, 28)], closed=False), 4.5, INK)
    p.shape(smooth([(54, 20), (80, 18), (80, 25), (64, 27)]), INK)
    p.dot(48, 68, 7, GREY), p.line([(48, 68), (56, 78)], 3, INK)


def rocket(p: Pen) -> None:
    p.shape(smooth([(38, 82), (34, 98), (42, 94), (50, 110), (58, 94), (66, 98), (62, 82)]), FLAME)
    p.shape(smooth([(44, 84), (46, 98), (50, 102), (54, 98), (56, 84)]), GOLD, outline=False)
    for side in (-1, 1):
        p.shape([(50 + side * 18, 52), (50 + side * 42, 76), (50 + side * 42, 94), (50 + side * 16, 80)], DARK)
    p.shape(smooth([(50, -12), (68, 14), (74, 50), (66, 84), (34, 84), (26, 50), (32, 14)]))
    p.shape([(50, -12), *oval(50, 12, 18, 4, 0, 0, 180)], PALE)
    p.shape(oval(50, 38, 12, 12), GLASS), p.dot(46, 34, 3, WHITE)
    p.line([(34, 66), (66, 66)], 4, LIGHT)


def tractor(p: Pen) -> None:
    p.line([(20, 44), (20, 18)], 6, GREY, outline=True)
    p.shape([(46, 12), (92, 12), (88, 54), (46, 54)]), p.shape(box(40, 5, 98, 14, 3), DARK)
    p.shape([(53, 20), (84, 20), (81, 46), (53, 46)], GLASS)
    p.shape(box(0, 40, 72, 72, 6))
    p.shape(box(-3, 48, 5, 66, 2), SILVER)
    for y in (50, 57, 64):
        p.line([(12, y), (38, y)], 2.2, DEEP)
    _wheel(p, 16, 80, 15), _wheel(p, 78, 68, 27)
    p.dot(78, 68, 10, GOLD), p.dot(16, 80, 6, GOLD)


def apple(p: Pen) -> None:
    p.line(smooth([(50, 24), (52, 10), (60, 0)], closed=False), 5, WOOD, outline=True)
    p.shape(smooth([(56, 14), (68, -2), (88, 0), (78, 15)]), LEAF)
    p.shape(
        smooth(
            [
                (50, 24),
                (68, 15),
                (90, 26),
                (94, 52),
                (82, 82),
                (64, 96),
                (50, 92),
                (36, 96),
                (18, 82),
                (6, 52),
                (10, 26),
                (32, 15),
            ]
        )
    )
    p.shape(oval(26, 42, 7, 13, 20), LIGHT, outline=False)


def banana(p: Pen) -> None:
    yellow = (252, 218, 56)
    p.shape(
        smooth(
            [(80, -2), (90, 2), (96, 28), (88, 62), (62, 86), (26, 90), (2, 78), (2, 70), (32, 66), (58, 52), (74, 28)]
        ),
        yellow,
    )
    p.line(smooth([(86, 12), (84, 40), (66, 66), (30, 80), (8, 76)], closed=False), 2.6, (214, 168, 40))
    p.shape([(78, -8), (90, -8), (92, 6), (78, 6)], WOOD), p.shape(oval(2, 74, 4, 5), WOOD)


def carrot(p: Pen) -> None:
    for tip in ((70, -10), (88, -6), (104, 8), (108, 26)):
        p.line(
            smooth([(74, 28), ((74 + tip[0]) / 2 + 3, (28 + tip[1]) / 2 - 3), tip], closed=False),
            7,
            LEAF,
            outline=True,
        )
    p.shape(smooth([(58, 22), (74, 24), (80, 42), (60, 66), (30, 88), (2, 100), (14, 74), (34, 44)]), (246, 132, 34))
    for start, end in (((50, 34), (60, 44)), ((64, 54), (54, 48)), ((34, 56), (44, 66)), ((24, 76), (32, 80))):
        p.line([start, end], 2.6, (196, 92, 20))


def cake(p: Pen) -> None:
    p.shape([(50, 2), (55, -8), (50, -13), (45, -8)], GOLD)
    p.shape(box(46, 2, 54, 26), ROSE)
    p.shape(oval(50, 88, 52, 9), SILVER)
    p.shape([*oval(50, 82, 42, 11, 0, 0, 180), (8, 38), (92, 38)])
    p.line(oval(50, 62, 42, 11, 0, 0, 180), 4, LIGHT)
    p.shape(
        [
            *oval(50, 34, 42, 13, 0, 180, 360),
            (92, 46),
            (84, 56),
            (76, 46),
            (66, 60),
            (56, 50),
            (46, 62),
            (36, 50),
            (26, 58),
            (17, 46),
            (8, 48),
        ],
        WHITE,
    )
    p.line([(50, 26), (50, 30)], 8, ROSE)
    for x, y in ((24, 34), (38, 38), (64, 37), (78, 33)):
        p.dot(x, y, 3.4, MAIN)


def ice_cream(p: Pen) -> None:
    cone = (226, 168, 96)
    p.shape([(26, 48), (74, 48), (50, 108)], cone)
    for shift in (0, 14, 28):
        p.line([(32 + shift, 50), (48 + shift / 2.6, 92 - shift * 0.9)], 1.8, WOOD)
        p.line([(68 - shift, 50), (52 - shift / 2.6, 92 - shift * 0.9)], 1.8, WOOD)
    p.shapes([oval(50, 22, 29, 28), oval(30, 44, 9, 9), oval(50, 47, 9, 9), oval(69, 44, 9, 9)])
    p.shape(oval(39, 12, 8, 10, 30), LIGHT, outline=False)
    p.dot(50, -8, 6, ROSE)


def tree(p: Pen) -> None:
    p.shape(smooth([(42, 60), (58, 60), (58, 84), (66, 102), (34, 102), (42, 84)]), WOOD)
    p.line([(46, 76), (46, 92)], 2, (112, 72, 42))
    p.shapes(
        [
            oval(50, 10, 26, 22),
            oval(22, 30, 24, 22),
            oval(78, 30, 24, 22),
            oval(36, 50, 24, 20),
            oval(64, 50, 24, 20),
            oval(50, 34, 30, 26),
        ]
    )
    for x, y in ((40, 12), (22, 30), (58, 32), (78, 34), (42, 52)):
        p.line(oval(x, y, 8, 7, 0, 10, 150), 3, DARK)
        p.line(oval(x - 2, y - 8, 7, 5, 0, 190, 320), 2.6, LIGHT)


def flower(p: Pen) -> None:
    p.line([(50, 52), (50, 106)], 6, LEAF, outline=True)
    (
        p.shape(smooth([(51, 96), (64, 76), (84, 74), (74, 90)]), LEAF),
        p.shape(smooth([(49, 98), (36, 80), (16, 80), (28, 94)]), LEAF),
    )
    petals = spokes(50, 30, 25, 0, 6)[::2]
    for x, y in petals:
        p.shape(oval(x, y, 15.5, 15.5))
    for x, y in petals:
        p.dot(50 + (x - 50) * 1.15, 30 + (y - 30) * 1.15, 6, LIGHT)
    p.shape(oval(50, 30, 14, 14), GOLD)
    p.dot(46, 28, 2, WOOD), p.dot(54, 28, 2, WOOD), p.dot(50, 35, 2, WOOD)


def mushroom(p: Pen) -> None:
    p.shape(smooth([(38, 50), (62, 50), (64, 80), (68, 96), (32, 96), (36, 80)]), CREAM)
    p.shape([*oval(50, 54, 48, 50, 0, 180, 360), *oval(50, 54, 48, 9, 0, 0, 180)])
    for x, y, r in ((50, 20, 8), (26, 38, 7), (74, 38, 7), (50, 44, 5), (8, 50, 3), (92, 50, 3)):
        p.dot(x, y, r, PALE)


def cactus(p: Pen) -> None:
    green, pot = (70, 150, 92), (206, 118, 74)
    p.line(smooth([(50, 56), (26, 54), (20, 44), (20, 28)], closed=False), 15, green, outline=True)
    p.line(smooth([(50, 48), (76, 44), (82, 34), (82, 18)], closed=False), 15, green, outline=True)
    p.line([(50, 8), (50, 84)], 27, green, outline=True)
    p.line(smooth([(50, 56), (26, 54), (22, 48)], closed=False), 14, green)
    p.line(smooth([(50, 48), (76, 44), (80, 38)], closed=False), 14, green)
    for x, y in ((44, 8), (56, 16), (44, 28), (56, 38), (44, 50), (56, 62), (20, 34), (82, 24), (32, 54), (70, 46)):
        p.line([(x - 3, y - 3), (x, y), (x + 3, y - 3)], 1.8, WHITE)
    p.shape([(28, 80), (72, 80), (66, 104), (34, 104)], pot), p.shape(box(24, 74, 76, 84, 2), pot)


def box_(p: Pen) -> None:
    p.shape([(4, 26), (24, 8), (104, 8), (84, 26)], DEEP)
    p.shape([(84, 26), (104, 8), (104, 76), (84, 98)], DARK)
    p.shape(box(4, 26, 84, 98))
    p.line([(4, 62), (84, 62)], 3, DARK)
    p.shape(box(36, 26, 52, 50), PALE, outline=False)


def basket(p: Pen) -> None:
    p.line(oval(50, 48, 37, 48, 0, 180, 360), 6, DARK, outline=True)
    p.shape([(4, 46), (96, 46), (84, 92), (78, 98), (22, 98), (16, 92)])
    for row, y in enumerate((60, 70, 80, 90)):
        for x in range(16 + 8 * (row % 2), 86, 16):
            p.line([(x - 4, y), (x + 4, y)], 4, DARK)
            p.line([(x + 4, y), (x + 12, y)], 2, LIGHT)
    p.shape(box(-1, 41, 101, 53, 6), LIGHT)


def cup(p: Pen) -> None:
    p.line(oval(80, 54, 20, 20, 0, -80, 80), 8, MAIN, outline=True)
    p.shape([*oval(44, 86, 32, 11, 0, 0, 180), (4, 16), (84, 16)])
    p.shape(oval(44, 16, 40, 11), DEEP)
    p.line(oval(44, 16, 40, 11), 4, LIGHT)
    p.shape(spokes(44, 58, 15, 7, 5), PALE, outline=False)


def hat(p: Pen) -> None:
    p.shape(oval(50, 76, 56, 15))
    p.shape([*oval(50, 46, 31, 34, 0, 180, 360), (83, 72), *oval(50, 72, 33, 9, 0, 0, 180)])
    p.shape(
        [(18, 58), *oval(50, 58, 32, 8, 0, 180, 0), (83, 71), *oval(50, 72, 33, 9, 0, 0, 180)], PALE, outline=False
    )
    p.shape([(68, 66), (84, 58), (82, 78)], ROSE), p.shape([(68, 66), (54, 62), (56, 78)], ROSE)


def umbrella(p: Pen) -> None:
    p.line([(50, 40), (50, 90)], 4.5, WOOD, outline=True)
    p.line(oval(42, 90, 8, 10, 0, 0, 180), 4.5, WOOD, outline=True)
    p.line([(50, 6), (50, -6)], 4, WOOD)
    scallops = [point for x in (84.7, 50, 15.3)[0:3] for point in oval(x, 52, 17.3, 8, 0, 0, -180)]
    p.shape([*oval(50, 52, 52, 48, 0, 180, 360), *scallops])
    p.shape([*oval(50, 52, 18, 48, 0, 180, 360), *oval(50, 52, 17.3, 8, 0, 0, -180)], LIGHT, outline=False)
    p.line(oval(50, 52, 18, 48, 0, 180, 360), 2, DEEP)


def book(p: Pen) -> None:
    p.shape([(-12, 10), (48, 16), (52, 16), (112, 10), (112, 90), (52, 98), (48, 98), (-12, 90)])
    for side in (-1, 1):
        p.shape(
            smooth(
                [
                    (50, 24),
                    (50 + side * 26, 16),
                    (50 + side * 47, 19),
                    (50 + side * 47, 77),
                    (50 + side * 26, 75),
                    (50, 84),
                ]
            ),
            WHITE,
        )
        p.shape(box(50 + side * 25 - 12, 27, 50 + side * 25 + 12, 46, 3), LIGHT, outline=False)
        for y in (54, 63):
            p.line([(50 + side * 11, y + 2), (50 + side * 40, y - 1)], 3, GREY)
    p.line([(50, 24), (50, 88)], 2.6, DEEP)


def chair(p: Pen) -> None:
    for x in (20, 78):
        p.line([(x, 60), (x, 102)], 8, DARK, outline=True)
    p.line([(34, 56), (34, 88)], 6, DEEP), p.line([(90, 50), (90, 88)], 6, DEEP, outline=True)
    p.shapes([box(12, -6, 22, 60, 3), box(14, -2, 84, 4)][:1])
    p.shape([(12, -8), (34, -14), (34, 46), (12, 58)], MAIN)
    p.shape([(17, 0), (29, -4), (29, 32), (17, 38)], LIGHT, outline=False)
    p.shape([(12, 56), (34, 44), (98, 44), (86, 60), (86, 68), (12, 68)])
    p.shape([(20, 55), (36, 47), (90, 47), (82, 57)], LIGHT, outline=False)


def table(p: Pen) -> None:
    for x in (20, 80):
        p.line([(x, 40), (x, 80)], 6, DEEP, outline=True)
    for x in (-4, 104):
        p.line([(x, 40), (x, 94)], 8, DARK, outline=True)
    p.shape(box(-12, 24, 112, 42, 4))
    p.line([(-8, 36), (108, 36)], 3, DARK)
    p.shape(box(36, 42, 64, 54, 2), LIGHT), p.dot(50, 48, 2.4)


def house(p: Pen) -> None:
    p.shape(box(70, 0, 82, 30), (178, 96, 82))
    p.shape(box(10, 44, 90, 100))
    p.shape([(50, -10), (108, 48), (-8, 48)], DEEP)
    p.line([(22, 32), (78, 32)], 2, DARK), p.line([(8, 42), (92, 42)], 2, DARK)
    p.shape(box(42, 66, 62, 100), WOOD), p.dot(57, 84, 2.4, GOLD)
    for x in (18, 68):
        p.shape(box(x, 58, x + 16, 76), GLASS), p.line([(x + 8, 58), (x + 8, 76)], 2, WHITE)
    p.shape(oval(50, 24, 7, 7), GLASS)


def sun(p: Pen) -> None:
    p.shape(spokes(50, 50, 58, 34, 12), FLAME)
    p.shape(oval(50, 50, 34, 34), (255, 220, 64))
    p.dot(38, 44, 4), p.dot(62, 44, 4), p.smile(50, 52, 14, 3)
    p.dot(31, 56, 5, FLAME), p.dot(69, 56, 5, FLAME)


def moon(p: Pen) -> None:
    p.shape([*oval(50, 50, 50, 50, 0, 50, 310), *oval(74, 50, 40, 40, 0, 288, 72)], (250, 232, 150))
    p.dot(22, 40, 4.4), p.line(oval(34, 60, 9, 7, 0, 40, 150), 3)
    p.dot(20, 70, 5, (232, 206, 112)), p.dot(44, 12, 4, (232, 206, 112))


def rainbow(p: Pen) -> None:
    bands = ((226, 66, 62), (246, 148, 50), (250, 218, 76), (92, 176, 84), (70, 130, 222), (150, 90, 190))
    for i, colour in enumerate(bands):
        outer, inner = 62 - 6 * i, 56 - 6 * i
        p.shape([*oval(50, 76, outer, outer, 0, 180, 360), *oval(50, 76, inner, inner, 0, 360, 180)], colour)
    for x in (7, 93):
        p.shapes([oval(x - 9, 76, 11, 9), oval(x + 7, 77, 11, 9), oval(x, 70, 11, 9)], WHITE)


def cloud(p: Pen) -> None:
    puffs = [
        oval(20, 62, 24, 20),
        oval(46, 44, 27, 26),
        oval(74, 50, 23, 22),
        oval(90, 64, 19, 18),
        box(14, 58, 92, 82, 12),
    ]
    p.shapes(puffs, (246, 248, 252))
    (
        p.line(oval(46, 46, 18, 16, 0, 190, 290), 3, (206, 216, 232)),
        p.line(oval(76, 54, 14, 12, 0, 200, 330), 3, (206, 216, 232)),
    )
    p.line([(18, 76), (86, 76)], 4, (214, 222, 236))


def star(p: Pen) -> None:
    p.shape(spokes(50, 54, 56, 26, 5))
    p.shape(spokes(50, 54, 30, 14, 5), LIGHT, outline=False)
    p.dot(42, 50, 3.4), p.dot(58, 50, 3.4), p.smile(50, 56, 7)


THINGS = {
    draw.__name__.rstrip("_").replace("_", " "): draw
    for draw in (
        ball,
        balloon,
        kite,
        robot,
        drum,
        car,
        bus,
        train,
        boat,
        plane,
        bike,
        rocket,
        tractor,
        apple,
        banana,
        carrot,
        cake,
        ice_cream,
        tree,
        flower,
        mushroom,
        cactus,
        box_,
        basket,
        cup,
        hat,
        umbrella,
        book,
        chair,
        table,
        house,
        sun,
        moon,
        rainbow,
        cloud,
        star,
    )
}
