"""Negatives: pictures that lack what they are asked for."""

import json

import pytest
from PIL import Image

from nanovlms_hf.data.detection import CLASS_PROMPTS, DetectionConfig, class_name, parse_boxes
from nanovlms_hf.data.negatives import (
    NATURE_ANSWERS,
    NO_TEXT_ANSWERS,
    OCR_PROMPTS,
    negative_row,
    picture_files,
    says_no_text,
)
from nanovlms_hf.data.pictures import PictureError
from nanovlms_hf.data.scenes import WorldConfig


def said(row):
    return [message["content"][-1]["text"] for message in row["messages"]]


def test_a_row_is_a_function_of_seed_split_and_index():
    for index in range(4):
        first, again = (negative_row(1, "train", index, image_size=48) for _ in range(2))
        assert first["images"][0].tobytes() == again["images"][0].tobytes()
        assert (first["messages"], first["objects"]) == (again["messages"], again["objects"])
    pictures = {
        negative_row(1, split, 5, image_size=48)["images"][0].tobytes() for split in ("train", "validation", "test")
    }
    assert len(pictures) == 3


def test_pictures_without_text_say_so():
    answers = set()
    for index in range(80):
        row = negative_row(0, "train", index, image_size=16, class_share=0, config=DetectionConfig(paraphrase=False))
        question, answer = said(row)
        assert question == "Provide the OCR results of this image." and says_no_text(answer)
        assert [block["type"] for block in row["messages"][0]["content"]] == ["image", "text"]
        answers.add(answer)
        json.dumps(row["messages"])
    assert answers == {*NO_TEXT_ANSWERS, *NATURE_ANSWERS}


def test_a_kitchen_is_not_called_nature():
    world = WorldConfig(settings=("kitchen", "bedroom"))
    answers = {said(negative_row(0, "train", i, world, image_size=16, class_share=0))[1] for i in range(60)}
    assert answers == set(NO_TEXT_ANSWERS)


def test_some_pictures_are_empty():
    rows = [negative_row(0, "train", i, image_size=16, class_share=0, backdrop_share=0.5) for i in range(60)]
    assert 15 < sum(not row["objects"] for row in rows) < 45
    assert all(
        row["objects"] for row in (negative_row(0, "train", i, image_size=16, backdrop_share=0) for i in range(9))
    )


def test_absent_classes():
    for index in range(40):
        row = negative_row(0, "train", index, image_size=16, class_share=1, config=DetectionConfig(paraphrase=False))
        question, answer = said(row)
        parsed = parse_boxes(answer)
        assert 1 <= len(parsed.boxes) <= 3 and not parsed.all_boxes and not parsed.unreadable
        assert question == CLASS_PROMPTS[0].format(classes=", ".join(parsed.boxes))
        assert not set(parsed.boxes) & {class_name(kind) for kind, _, _ in row["objects"]}


def test_a_world_in_which_nothing_is_absent_is_asked_for_text():
    world = WorldConfig(kinds=("duck",), max_groups=1, settings=("field",))
    row = negative_row(0, "train", 0, world, image_size=16, class_share=1)
    assert said(row)[0] in OCR_PROMPTS


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "deep").mkdir()
    for number in range(20):
        place = tmp_path / ("deep" if number % 2 else "") / f"{number:02d}.{'JPG' if number % 3 else 'png'}"
        Image.new("L", (20 + number, 10), number * 10).save(place)
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def test_pictures_of_the_callers(folder):
    files = picture_files(folder)
    assert len(files) == 20 and files == sorted(files)
    seen = {}
    for split in ("train", "validation", "test"):
        rows = [negative_row(0, split, index, pictures=files) for index in range(150)]
        assert all(row["images"][0].mode == "RGB" and row["objects"] == [] for row in rows)
        assert all(said(row)[0] in OCR_PROMPTS and says_no_text(said(row)[1]) for row in rows)
        seen[split] = {row["images"][0].width for row in rows}
    by_place = [Image.open(path).width for path in files]
    assert seen["validation"] == {by_place[8], by_place[18]} and seen["test"] == {by_place[9], by_place[19]}
    assert seen["train"] == set(by_place) - seen["validation"] - seen["test"]


def test_bad_input(tmp_path):
    with pytest.raises(ValueError, match="holds no picture: name a folder with files that end in .png"):
        picture_files(tmp_path)
    with pytest.raises(ValueError, match="is not a folder"):
        picture_files(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="8 negative pictures leave none for the split 'validation': give at least 9"):
        negative_row(0, "validation", 0, pictures=[Image.new("RGB", (9, 9))] * 8)
    with pytest.raises(ValueError, match="0 negative pictures leave none for the split 'train': give at least 1"):
        negative_row(0, "train", 0, pictures=[])
    for pictures in (None, [Image.new("RGB", (9, 9))] * 10):
        with pytest.raises(ValueError, match="split='dev' is unknown"):
            negative_row(0, "dev", 0, pictures=pictures)
    with pytest.raises(ValueError, match="class_share is 2: choose a share from 0 to 1"):
        negative_row(0, "train", 0, class_share=2)
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(PictureError, match="negative picture 0"):
        negative_row(0, "train", 0, pictures=picture_files(tmp_path))


def test_other_answers_are_not_taken_for_it():
    assert says_no_text("  this picture has NO text ") and not says_no_text("Nothing") and not says_no_text("")
    assert len(NO_TEXT_ANSWERS) + len(NATURE_ANSWERS) >= 10 and len(OCR_PROMPTS) >= 11
