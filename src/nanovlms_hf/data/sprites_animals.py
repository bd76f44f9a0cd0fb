"""How each animal is drawn, on the 100 x 100 units of a `Pen`. Every drawing shows the parts its kind's detail names."""

from .pen import CREAM, DARK, DEEP, GOLD, INK, LIGHT, MAIN, PALE, ROSE, WHITE, Pen, box, oval, smooth

BEAK = (244, 150, 40)


def cat(p: Pen) -> None:
    p.line(smooth([(66, 88), (86, 86), (94, 70), (86, 56), (92, 44)], closed=False), 8, MAIN, outline=True)
    p.shape(smooth([(50, 46), (70, 60), (76, 84), (70, 97), (30, 97), (24, 84), (30, 60)]))
    p.shape(oval(50, 80, 13, 15), LIGHT, outline=False)
    p.shapes([[(22, 36), (21, 2), (46, 18)], [(78, 36), (79, 2), (54, 18)], oval(50, 34, 30, 24)])
    p.shape([(27, 22), (26, 10), (37, 17)], ROSE, outline=False)
    p.shape([(73, 22), (74, 10), (63, 17)], ROSE, outline=False)
    for side in (-1, 1):
        p.eye(50 + side * 12, 31, 6.5)
        for y, end in ((41, 37), (44, 45), (47, 53)):
            p.line([(50 + side * 14, y), (50 + side * 38, end)], 1.5, DEEP)
        p.shape(oval(50 + side * 13, 95, 9, 5))
    p.shape([(45, 40), (55, 40), (50, 45)], ROSE, outline=False)
    p.smile(45, 44, 5), p.smile(55, 44, 5)


def dog(p: Pen) -> None:
    p.line(smooth([(74, 84), (90, 76), (94, 60)], closed=False), 8, MAIN, outline=True)
    p.shape(smooth([(50, 44), (70, 58), (78, 84), (72, 97), (28, 97), (22, 84), (30, 58)]))
    p.shape(oval(50, 78, 13, 16), LIGHT, outline=False)
    p.shape(smooth([(50, 4), (74, 16), (76, 38), (62, 58), (38, 58), (24, 38), (26, 16)]))
    for side in (-1, 1):
        p.shape(
            smooth(
                [
                    (50 + side * 18, 8),
                    (50 + side * 34, 14),
                    (50 + side * 43, 42),
                    (50 + side * 34, 54),
                    (50 + side * 25, 34),
                ]
            ),
            DARK,
        )
        p.eye(50 + side * 11, 26, 6)
        p.shape(oval(50 + side * 14, 95, 10, 5))
    p.shape(oval(50, 45, 15, 12), PALE, outline=False)
    p.shape(oval(50, 38, 7.5, 5.5), INK, outline=False)
    p.shape(smooth([(45, 50), (55, 50), (55, 60), (50, 64), (45, 60)]), ROSE, outline=False)
    p.smile(50, 45, 9)


def rabbit(p: Pen) -> None:
    p.shape(oval(78, 84, 8, 8), PALE)
    p.shape(smooth([(50, 52), (68, 64), (74, 86), (66, 98), (34, 98), (26, 86), (32, 64)]))
    p.shape(oval(50, 82, 11, 13), LIGHT, outline=False)
    p.shapes([oval(36, 12, 9, 24, -10), oval(64, 12, 9, 24, 10), oval(50, 46, 24, 21)])
    p.shape(oval(36, 12, 4, 17, -10), ROSE, outline=False)
    p.shape(oval(64, 12, 4, 17, 10), ROSE, outline=False)
    for side in (-1, 1):
        p.eye(50 + side * 10, 42, 5.5)
        p.shape(oval(50 + side * 14, 96, 11, 5))
        p.dot(50 + side * 16, 53, 4, ROSE)
    p.shape([(46, 49), (54, 49), (50, 53)], ROSE, outline=False)
    p.shape(box(46, 57, 54, 64), WHITE, outline=False)
    p.line([(50, 53), (50, 63)], 1.4)


def bear(p: Pen) -> None:
    for side in (-1, 1):
        p.shape(oval(50 + side * 32, 64, 10, 17, side * -28))
    p.shape(oval(50, 72, 28, 26))
    p.shape(oval(50, 74, 18, 17), PALE, outline=False)
    for side in (-1, 1):
        p.shape(oval(50 + side * 22, 92, 12, 10))
        p.shape(oval(50 + side * 22, 92, 6, 5), LIGHT, outline=False)
    p.shapes([oval(24, 12, 11, 11), oval(76, 12, 11, 11), oval(50, 32, 31, 26)])
    for side in (-1, 1):
        p.dot(50 + side * 26, 12, 6, LIGHT)
        p.eye(50 + side * 12, 28, 5)
    p.shape(oval(50, 42, 14, 10), PALE, outline=False)
    p.shape(oval(50, 37, 5.5, 4), INK, outline=False)
    p.smile(50, 41, 7)


def pig(p: Pen) -> None:
    p.line(smooth([(88, 44), (96, 38), (101, 44), (95, 48), (92, 40), (102, 32)], closed=False), 3, MAIN, outline=True)
    for x in (30, 44, 66, 80):
        p.shape(box(x - 6, 70, x + 6, 94, 3), DARK)
    p.shape(oval(56, 56, 37, 28))
    p.shapes([oval(26, 46, 24, 23), [(8, 32), (6, 12), (24, 24)], [(30, 24), (46, 12), (46, 34)]])
    p.shape(oval(20, 52, 12, 9.5), LIGHT)
    p.dot(16, 52, 2.8, DEEP), p.dot(25, 52, 2.8, DEEP)
    p.eye(17, 37, 4.6), p.eye(33, 37, 4.6)
    p.smile(24, 61, 6, 2)


def cow(p: Pen) -> None:
    p.line([(92, 38), (99, 48), (98, 64)], 3, MAIN, outline=True)
    p.shape(oval(98, 67, 4, 6), INK, outline=False)
    for x in (36, 50, 76, 88):
        p.shape(box(x - 5, 62, x + 5, 92, 2))
        p.shape(box(x - 5, 87, x + 5, 94, 2), INK, outline=False)
    p.shape(oval(72, 71, 9, 7), ROSE)
    p.shape(box(28, 30, 95, 70, 16))
    for x, y, rx, ry in ((50, 42, 10, 7), (78, 40, 9, 8), (70, 59, 9, 6), (90, 55, 4, 6)):
        p.shape(oval(x, y, rx, ry, 15), DEEP, outline=False)
    p.shape(smooth([(6, 16), (2, 6), (10, 2), (14, 16)]), CREAM)
    p.shape(smooth([(34, 16), (40, 6), (32, 2), (27, 16)]), CREAM)
    p.shapes([oval(-2, 26, 9, 5, 15), oval(43, 26, 9, 5, -15)], DARK)
    p.shape(smooth([(8, 14), (32, 14), (37, 30), (32, 50), (8, 50), (3, 30)]))
    p.shape(oval(20, 49, 18, 12), CREAM)
    p.dot(14, 48, 2.6, INK), p.dot(26, 48, 2.6, INK)
    p.eye(12, 28, 5), p.eye(29, 28, 5)


def sheep(p: Pen) -> None:
    for x in (36, 48, 70, 82):
        p.shape(box(x - 4, 66, x + 4, 94, 2), INK)
    fluff = [(34, 36), (50, 28), (67, 29), (83, 37), (91, 52), (84, 66), (68, 73), (51, 73), (36, 67), (28, 52)]
    p.shapes([oval(x, y, 14, 13) for x, y in fluff] + [oval(60, 50, 28, 22)])
    for x, y in ((52, 44), (70, 44), (60, 58), (78, 57), (44, 58)):
        p.line(oval(x, y, 6, 5, 0, 150, 350), 2.2, DARK)
    p.shapes([oval(4, 38, 8, 4.5, 25), oval(38, 38, 8, 4.5, -25)], INK)
    p.shape(smooth([(10, 26), (32, 26), (34, 44), (27, 62), (15, 62), (8, 44)]), INK)
    p.shapes([oval(13, 25, 8, 7), oval(22, 20, 9, 8), oval(31, 25, 8, 7)])
    p.eye(15, 40, 5), p.eye(27, 40, 5)
    p.smile(21, 52, 5, 2, WHITE)


def elephant(p: Pen) -> None:
    p.line([(94, 42), (101, 56), (99, 64)], 3, MAIN, outline=True)
    for x in (42, 56, 76, 88):
        p.shape(box(x - 8, 60, x + 8, 95, 3), DARK if x in (56, 76) else MAIN)
        p.line([(x - 4, 93), (x - 3, 93)], 3, CREAM), p.line([(x + 3, 93), (x + 4, 93)], 3, CREAM)
    p.shape(oval(65, 46, 34, 30))
    p.line(smooth([(16, 46), (7, 64), (6, 82), (-2, 88), (-8, 82)], closed=False), 12, MAIN, outline=True)
    p.shape(oval(25, 38, 23, 23))
    p.line(smooth([(14, 46), (7, 64), (6, 81)], closed=False), 11, MAIN)
    p.shape(smooth([(20, 58), (28, 58), (22, 72), (10, 74), (18, 66)]), WHITE)
    p.shape(smooth([(36, 14), (58, 12), (68, 34), (58, 58), (42, 58), (34, 36)]), DARK)
    p.shape(smooth([(42, 22), (54, 20), (60, 35), (53, 49), (44, 49), (40, 36)]), LIGHT, outline=False)
    p.eye(19, 34, 5)


def duck(p: Pen) -> None:
    p.shapes(
        [
            smooth([(10, 58), (34, 56), (60, 52), (84, 54), (102, 38), (98, 66), (80, 86), (46, 90), (20, 80)]),
            oval(28, 30, 21, 20),
            smooth([(16, 40), (42, 38), (44, 64), (16, 66)]),
        ]
    )
    p.shape(smooth([(42, 62), (64, 56), (86, 62), (70, 76), (50, 76)]), DARK)
    p.shape(smooth([(12, 28), (-4, 30), (-13, 35), (-4, 40), (12, 41)]), BEAK)
    p.line([(-8, 35), (10, 35)], 1.6)
    p.eye(25, 25, 5.5)
    for x in (44, 60):
        p.shape([(x, 88), (x + 4, 88), (x + 4, 95), (x - 10, 97), (x, 92)], BEAK)


def bird(p: Pen) -> None:
    p.shape([(74, 56), (104, 44), (100, 58), (106, 70), (76, 68)], DARK)
    p.shape(smooth([(48, 48), (40, 22), (58, 2), (72, 12), (74, 48)]), DARK)
    p.shape(smooth([(18, 44), (44, 42), (76, 50), (84, 62), (64, 80), (34, 80), (16, 66)]))
    p.shape(oval(24, 46, 21, 19))
    p.shape(oval(44, 70, 19, 9, 8), PALE, outline=False)
    p.shape(smooth([(46, 56), (62, 82), (84, 98), (88, 80), (74, 56)]), LIGHT)
    p.line([(70, 66), (80, 86)], 2, DARK), p.line([(60, 62), (70, 82)], 2, DARK)
    p.shape([(5, 40), (-14, 48), (6, 54)], BEAK)
    p.eye(20, 41, 5.5)


def fish(p: Pen) -> None:
    p.shape(smooth([(74, 50), (98, 24), (102, 36), (92, 50), (102, 64), (98, 76)]), DARK)
    p.shape(smooth([(36, 28), (48, 10), (64, 16), (62, 30)]), DARK)
    p.shape(smooth([(40, 72), (48, 86), (60, 82), (58, 70)]), DARK)
    p.shape(smooth([(0, 50), (16, 32), (42, 24), (66, 34), (82, 50), (66, 66), (42, 76), (16, 68)]))
    p.line(oval(18, 50, 18, 22, 0, -62, 62), 2.6, DEEP)
    for x, y in ((48, 38), (48, 50), (48, 62), (60, 44), (60, 56)):
        p.line(oval(x, y, 5, 6, 0, -70, 70), 2.2, LIGHT)
    p.eye(18, 44, 6.5)
    p.line(oval(2, 56, 9, 5, 0, 0, 90), 2)


def frog(p: Pen) -> None:
    for side in (-1, 1):
        p.shape(smooth([(50 + side * 22, 56), (50 + side * 48, 60), (50 + side * 46, 86), (50 + side * 24, 90)]), DARK)
        p.shape(smooth([(50 + side * 26, 88), (50 + side * 52, 88), (50 + side * 54, 96), (50 + side * 26, 97)]))
    p.shape(oval(50, 70, 30, 26))
    p.shape(oval(50, 78, 19, 16), PALE, outline=False)
    p.shapes([oval(27, 18, 15, 15), oval(73, 18, 15, 15), oval(50, 40, 38, 24)])
    p.eye(27, 17, 10), p.eye(73, 17, 10)
    p.line(smooth([(20, 44), (36, 53), (50, 55), (64, 53), (80, 44)], closed=False), 3)
    for side in (-1, 1):
        p.shape(oval(50 + side * 14, 93, 9, 5))


def turtle(p: Pen) -> None:
    p.shape([(92, 72), (106, 76), (92, 80)])
    for x in (32, 78):
        p.shape(box(x - 9, 66, x + 9, 90, 6))
    p.shapes([oval(4, 44, 15, 14), smooth([(4, 50), (18, 46), (34, 66), (24, 78), (8, 64)])])
    p.shape([*oval(56, 70, 41, 46, 0, 180, 360), (97, 74), (15, 74)], DARK)
    p.shape([(56, 32), (70, 42), (66, 58), (46, 58), (42, 42)], LIGHT, outline=False)
    for points in ([(36, 44), (40, 60), (28, 66), (22, 62)], [(76, 44), (72, 60), (84, 66), (90, 62)]):
        p.shape(points, LIGHT, outline=False)
    p.line([(15, 73), (97, 73)], 5, DEEP)
    p.eye(0, 41, 5)
    p.smile(-1, 49, 5, 2)


def snail(p: Pen) -> None:
    for x in (4, 18):
        p.line([(14, 56), (x - 2, 34)], 3, CREAM, outline=True)
        p.dot(x - 2, 33, 4.5, INK)
    p.shapes(
        [smooth([(2, 62), (12, 50), (24, 58), (30, 74), (60, 80), (102, 92), (60, 96), (20, 94), (6, 84)])], CREAM
    )
    p.shape(oval(59, 53, 36, 34))
    spiral = [point for i in range(5) for point in oval(59 - i * 1.2, 54 + i, 30 - 6 * i, 28 - 5.6 * i, 0, 90, 400)]
    p.line(spiral, 4, DARK)
    p.dot(55, 57, 5, DEEP)
    p.dot(12, 64, 3), p.smile(9, 70, 6, 2)


def butterfly(p: Pen) -> None:
    for side in (-1, 1):
        p.shape(
            smooth([(50, 44), (50 + side * 16, 10), (50 + side * 44, 2), (50 + side * 52, 26), (50 + side * 34, 50)])
        )
        p.shape(
            smooth([(50, 52), (50 + side * 32, 52), (50 + side * 42, 72), (50 + side * 28, 92), (50 + side * 8, 74)]),
            DARK,
        )
        p.shape(oval(50 + side * 33, 24, 10, 10), PALE, outline=False)
        p.shape(oval(50 + side * 25, 69, 7, 8), LIGHT, outline=False)
        p.line(smooth([(50, 24), (50 + side * 5, 8), (50 + side * 14, 0)], closed=False), 2.4, INK)
        p.dot(50 + side * 14, 0, 3, INK)
    p.shape(oval(50, 54, 5.5, 32), INK)
    p.dot(50, 25, 7.5, INK)
    p.dot(47.5, 24, 1.8, GOLD), p.dot(52.5, 24, 1.8, GOLD)


ANIMALS = {
    draw.__name__: draw
    for draw in (
        cat,
        dog,
        rabbit,
        bear,
        pig,
        cow,
        sheep,
        elephant,
        duck,
        bird,
        fish,
        frog,
        turtle,
        snail,
        butterfly,
    )
}
