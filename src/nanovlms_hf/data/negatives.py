"""Negatives: pictures that do not hold what they are asked for, and answers that say so.

Vary (arXiv 2312.06109) gives its reader of documents natural pictures too, with a sentence that says that this is one, so that
it does not read text out of leaves. Here the natural pictures are scenes and empty backdrops of the picture world, neither
of which has a letter in it, or any pictures of the caller's. Scenes are also asked for classes that are not there, with the
answer of the detection task, "Boat: none.".
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from .detection import (
    CLASS_PROMPTS,
    DEFAULT_DETECTION,
    DetectionConfig,
    absent_kinds,
    class_name,
    conversation,
    format_boxes,
    picture_row,
    picture_scene,
    with_overrides,
)
from .pictures import open_picture
from .scenes import DEFAULT_WORLD, SETTINGS, WorldConfig
from .world import SPLIT_OFFSETS

# The first is the paper's own.
OCR_PROMPTS = (
    "Provide the OCR results of this image.",
    "Read all the text in this image.",
    "What is written here?",
    "Write down the words that you see.",
    "Give the text of this picture.",
    "Copy out everything that is written in this image.",
    "Which words does this image show?",
    "Transcribe this picture.",
    "Turn this image into text.",
    "Read this aloud, word by word.",
    "What does the text say?",
    "Type out what this page says.",
)
NO_TEXT_ANSWERS = (
    "This picture has no text.",
    "There is no text here, only things to look at.",
    "Nothing is written in this picture.",
    "I see a scene, and no writing in it.",
    "No words can be read here.",
)
# For pictures taken or drawn outdoors.
NATURE_ANSWERS = (
    "It is a natural picture without any words.",
    "This is a view of nature, not a page.",
    "This is a natural scene, so there is nothing to read.",
    "Here is a scene from nature, with no letter in it.",
    "A picture of the outdoors; no text is written on it.",
)

PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
_SPLIT_TENTHS = {"train": range(8), "validation": range(8, 9), "test": range(9, 10)}


def negative_row(
    seed: int,
    split: str,
    index: int,
    world: WorldConfig = DEFAULT_WORLD,
    image_size: int | None = None,
    crowd_share: float | None = None,
    class_share: float = 0.5,
    backdrop_share: float = 0.3,
    pictures: Sequence[Any] | None = None,
    config: DetectionConfig = DEFAULT_DETECTION,
) -> dict:
    """One picture that lacks what it is asked for: a pure function of its arguments.

    Args:
        seed, split, index: which row; no picture is in two splits.
        world: kinds, colours, styles and settings to draw.
        image_size, crowd_share: override those of `config`.
        class_share: share of rows that ask for one to three classes which are not there, instead of text.
        backdrop_share: share of the pictures asked for text that show an empty backdrop.
        pictures: natural pictures in any form that `pictures.open_picture` takes, such as the files of `picture_files` or
            the column of a data set; they are only asked for text. Of every ten, eight are for training, one for validation
            and one for the test.
        config: which pictures of the world.

    Returns:
        `images`, `messages` and `objects` as in `detection_row`; `objects` is empty for pictures of the caller's.

    Raises:
        ValueError: for an unknown split, a share out of range, too few pictures for the split, or a picture that cannot be
            opened.
    """
    for name, share in (("class_share", class_share), ("backdrop_share", backdrop_share)):
        if not 0 <= share <= 1:
            raise ValueError(f"{name} is {share}: choose a share from 0 to 1")
    config = with_overrides(config, image_size=image_size, crowd_share=crowd_share)
    rng = Random(f"{seed}:{split}:{index}:negative")
    if pictures is not None:
        number = _drawn_picture(pictures, split, rng)
        image = open_picture(pictures[number], f"negative picture {number}")
        turns = [no_text_turn(rng, config.paraphrase)]
        return {"images": [image], "messages": conversation(turns), "objects": []}
    scene = picture_scene(seed, split, index, world, config)
    absent = absent_kinds(scene, world)
    if absent and rng.random() < class_share:
        names = [class_name(kind) for kind in rng.sample(absent, min(len(absent), rng.randint(1, 3)))]
        prompt = rng.choice(CLASS_PROMPTS) if config.paraphrase else CLASS_PROMPTS[0]
        turns = [(prompt.format(classes=", ".join(names)), format_boxes({}, 1, 1, names=names))]
        return picture_row(scene, turns, config.image_size)
    if rng.random() < backdrop_share:
        scene = replace(scene, groups=(), links=(), order=())
    outdoors = not SETTINGS[scene.setting].indoors
    return picture_row(scene, [no_text_turn(rng, config.paraphrase, outdoors)], config.image_size)


def no_text_turn(rng: Random, paraphrase: bool = True, outdoors: bool = True) -> tuple[str, str]:
    """A request to read a picture without text, and one of the answers that say so.

    Args:
        rng: draws the wordings.
        paraphrase: whether the request is drawn from all wordings; the paper's only when False.
        outdoors: whether the answer may call the picture one of nature.
    """
    answers = NO_TEXT_ANSWERS + NATURE_ANSWERS if outdoors else NO_TEXT_ANSWERS
    return rng.choice(OCR_PROMPTS) if paraphrase else OCR_PROMPTS[0], rng.choice(answers)


def says_no_text(answer: str) -> bool:
    """Whether an answer is one that `no_text_turn` gives, whatever its capitals, spaces and final full stop."""
    return _plain(answer) in {_plain(known) for known in NO_TEXT_ANSWERS + NATURE_ANSWERS}


def picture_files(folder: str | Path) -> list[Path]:
    """The picture files in a folder and the folders in it, sorted, for `negative_row`.

    Raises:
        ValueError: if the folder does not exist or holds no picture.
    """
    folder = Path(folder)
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURE_ENDINGS and path.is_file())
    if not files:
        what = "holds no picture" if folder.is_dir() else "is not a folder"
        raise ValueError(f"{str(folder)!r} {what}: name a folder with files that end in {', '.join(PICTURE_ENDINGS)}")
    return files


def _drawn_picture(pictures: Sequence[Any], split: str, rng: Random) -> int:
    """The number of a picture of the split."""
    if split not in SPLIT_OFFSETS:
        raise ValueError(f"split={split!r} is unknown; choose one of {', '.join(SPLIT_OFFSETS)}.")
    tenths = _SPLIT_TENTHS[split]
    count = sum(len(range(tenth, len(pictures), 10)) for tenth in tenths)
    if not count:
        raise ValueError(
            f"{len(pictures)} negative pictures leave none for the split {split!r}: give at least {tenths[0] + 1} "
            "(of every ten, eight are for training, one for validation, one for the test)"
        )
    tens, tenth = divmod(rng.randrange(count), len(tenths))
    return 10 * tens + tenths[tenth]


def _plain(text: str) -> str:
    return " ".join(text.lower().split()).rstrip(". ")


__all__ = [
    "NATURE_ANSWERS",
    "NO_TEXT_ANSWERS",
    "OCR_PROMPTS",
    "negative_row",
    "no_text_turn",
    "picture_files",
    "says_no_text",
]
