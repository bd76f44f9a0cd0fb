"""Crowds: pictures full of single things on a loose grid, to teach a vision tower kinds and colours.

A scene has one to three groups, so most of its patches teach nothing but the backdrop. A crowd shows nine or sixteen things at
the same cost to the tower. Crowds are for dense targets only: they have no descriptions, things float where no scene would
put them, and what a setting hides may be there.
"""

from random import Random

from .scenes import DEFAULT_WORLD, KINDS, Group, Look, Scene, WorldConfig, tint_of
from .sprites import POSES, aspect


def make_crowd(seed: int, index: int, config: WorldConfig = DEFAULT_WORLD, columns: int | None = None) -> Scene:
    """A picture of `columns * columns` single things, one near each point of a grid: always the same for the same arguments.

    Args:
        seed (`int`): the stream.
        index (`int`): position in the stream.
        config (`WorldConfig`): kinds, colours, settings and styles to draw from; its counts and sizes play no part.
        columns (`int`, *optional*): cells along a side, each with one thing; 3 or 4, by chance, when not given.

    Returns:
        `Scene`: without links, and with any kind possibly present more than once.
    """
    rng = Random(f"crowd:{seed}:{index}")
    columns = columns or rng.choice((3, 4))
    kinds = [
        name for name in config.kinds if not KINDS[name].colours or set(KINDS[name].colours) & set(config.colours)
    ]
    groups = []
    for cell in range(columns * columns):
        kind = KINDS[rng.choice(kinds)]
        colour = rng.choice([c for c in kind.colours if c in config.colours]) if kind.colours else None
        pose = rng.randrange(len(POSES)) if kind.tilts else 0
        # Sizes of small, ordinary and the lesser of the big things of a scene, in fractions of the picture.
        longest = min(rng.uniform(0.12, 0.34) * (4 / columns), 0.9)
        ratio = aspect(kind.name, pose)
        width, height = longest * min(ratio, 1.0), longest / max(ratio, 1.0)
        x = (cell % columns + rng.uniform(0.2, 0.8)) / columns - width / 2
        y = (cell // columns + rng.uniform(0.2, 0.8)) / columns - height / 2
        x, y = min(max(x, 0.0), 1.0 - width), min(max(y, 0.0), 1.0 - height)
        tint = tint_of(rng, colour)
        look = Look(pose, rng.random() < 0.5 and kind.name != "book", tint)
        groups.append(Group(kind.name, colour, None, 1, ((x, y, x + width, y + height),), (look,)))
    order = list(range(len(groups)))
    rng.shuffle(order)
    return Scene(seed, index, rng.choice(config.settings), rng.choice(config.styles), tuple(groups), (), tuple(order))


__all__ = ["make_crowd"]
