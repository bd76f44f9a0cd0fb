"""The `nanovlms` command: what it prints, and one sentence where something is wrong."""

import json
from pathlib import Path

import pytest
from PIL import Image, ImageChops
from small_models import build_model, picture

from nanovlms_hf import NanoVLMsForConditionalGeneration, NanoVLMsProcessor
from nanovlms_hf.cli import main
from nanovlms_hf.data.box_text import parse_boxes
from nanovlms_hf.data.charts import chart_row
from nanovlms_hf.data.descriptions import short_description
from nanovlms_hf.data.detection import detection_row
from nanovlms_hf.data.documents import document_row
from nanovlms_hf.data.drawing import render
from nanovlms_hf.data.scenes import make_scene
from nanovlms_hf.evaluation.describing import describe_pictures


@pytest.fixture
def photo(tmp_path) -> str:
    picture(1, 40, 30).save(tmp_path / "photo.png")
    return str(tmp_path / "photo.png")


@pytest.fixture
def fails(capsys):
    """Runs a command that has to fail with exit code 2 and one sentence; returns the sentence."""

    def run(*argv: str) -> str:
        capsys.readouterr()
        assert main(list(argv)) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        lines = [line for line in printed.err.splitlines() if line.startswith("nanovlms ")]
        assert len(lines) == 1 and "Traceback" not in printed.err
        assert lines[0].startswith(f"nanovlms {argv[0]}: ")
        return lines[0]

    return run


def test_describe_prints_what_the_model_says(saved, photo, capsys):
    model = NanoVLMsForConditionalGeneration.from_pretrained(saved)
    processor = NanoVLMsProcessor.from_pretrained(saved)
    (said,) = describe_pictures(model, processor, [picture(1, 40, 30)], "What is it?", max_new_tokens=6)
    assert main(["describe", photo, "--model", saved, "--prompt", "What is it?", "--max-new-tokens", "6"]) == 0
    assert capsys.readouterr().out == said + "\n"


def test_describe_names_each_of_several_pictures(saved, photo, tmp_path, capsys):
    picture(2).save(tmp_path / "other.jpg")
    other = str(tmp_path / "other.jpg")
    assert main(["describe", photo, other, "--model", saved, "--max-new-tokens", "3"]) == 0
    # An answer may hold line breaks of its own.
    printed = capsys.readouterr().out
    assert printed.startswith(f"{photo}: ") and f"\n{other}: " in printed


def test_describe_takes_pictures_of_any_mode(saved, tmp_path, capsys):
    path = tmp_path / "odd.png"
    Image.new("RGBA", (30, 20), (255, 0, 0, 60)).save(path)
    assert main(["describe", str(path), "--model", saved, "--max-new-tokens", "2"]) == 0


def test_a_picture_that_is_not_there(fails, saved, tmp_path):
    path = str(tmp_path / "nowhere.png")
    said = fails("describe", path, "--model", saved)
    assert "does not exist" in said and path in said


def test_a_truncated_picture(fails, saved, tmp_path):
    picture(0, 200, 200).save(tmp_path / "whole.jpg")
    content = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "half.jpg").write_bytes(content[: len(content) // 2])
    said = fails("describe", str(tmp_path / "half.jpg"), "--model", saved)
    assert "half.jpg" in said and "damaged or cut off" in said


def test_a_file_that_is_no_picture(fails, saved, tmp_path):
    (tmp_path / "words.png").write_text("no picture")
    assert "words.png" in fails("describe", str(tmp_path / "words.png"), "--model", saved)
    (tmp_path / "empty.png").write_bytes(b"")
    assert "0 bytes" in fails("describe", str(tmp_path / "empty.png"), "--model", saved)


def test_a_model_folder_that_is_not_there(fails, photo, tmp_path):
    said = fails("describe", photo, "--model", str(tmp_path / "nowhere"))
    assert "nowhere is no directory; train one with `make demo`" in said


def test_a_model_folder_without_weights(fails, saved, photo, tmp_path):
    NanoVLMsForConditionalGeneration.from_pretrained(saved).config.save_pretrained(tmp_path / "bare")
    said = fails("describe", photo, "--model", str(tmp_path / "bare"))
    assert "bare holds no weights (*.safetensors); name the folder that a finished stage wrote" in said
    (tmp_path / "empty").mkdir()
    said = fails("describe", photo, "--model", str(tmp_path / "empty"))
    assert "empty holds no configuration (config.json) and no weights" in said


def test_a_damaged_file_of_weights(fails, saved, photo):
    path = Path(saved) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-50])
    assert "model.safetensors cannot be read as safetensors" in fails("describe", photo, "--model", saved)


def test_a_configuration_that_cannot_be_built(fails, photo, tmp_path):
    build_model("modern").save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["text_config"]["num_hidden_layers"] = 5
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert "text_config makes no qwen3 configuration" in fails("describe", photo, "--model", str(tmp_path))


def test_weights_that_do_not_match_the_configuration(fails, saved, photo):
    build_model("patches", connector="mlp").config.save_pretrained(saved)
    said = fails("describe", photo, "--model", saved)
    assert "do not fit NanoVLMsForConditionalGeneration" in said and "connector" in said


def test_a_model_without_its_processor(fails, photo, tmp_path):
    build_model("patches").save_pretrained(tmp_path / "model")
    assert "processor" in fails("describe", photo, "--model", str(tmp_path / "model")).lower()


def test_a_model_that_the_hub_cannot_give(fails, photo):
    for name in ("nobody/no-such-model", "nosuch"):
        said = fails("describe", photo, "--model", name)
        assert f"--model {name} is no such folder, and no repository of the Hub that is in the local cache" in said
    assert "is a file, but a folder is needed" in fails("describe", photo, "--model", photo)


def test_a_hub_that_cannot_be_reached_is_asked_once(fails, photo, monkeypatch):
    asked = []

    def unreachable(self, name, **_):
        asked.append(name)
        raise ConnectionError("no route")

    monkeypatch.setattr("nanovlms_hf.locating.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", unreachable)
    said = fails("describe", photo, "--model", "nobody/no-such-model")
    assert "is no such folder, and if it is a repository of the Hub, the Hub cannot be reached (no route)" in said
    assert asked == ["nobody/no-such-model"]


def test_sheet_draws_pictures_and_prints_their_texts(tmp_path, capsys):
    path = tmp_path / "sheet.png"
    assert main(["sheet", str(path), "--seed", "5", "--rows", "2", "--columns", "3", "--size", "48"]) == 0
    scenes = [make_scene(5, index) for index in range(6)]
    assert capsys.readouterr().out.splitlines() == [short_description(scene) for scene in scenes]
    with Image.open(path) as sheet:
        assert sheet.size == (3 * 52, 2 * 52)
        for index, scene in enumerate(scenes):
            left, top = index % 3 * 52 + 2, index // 3 * 52 + 2
            assert sheet.crop((left, top, left + 48, top + 48)).tobytes() == render(scene, 48).tobytes()


def test_a_sheet_in_one_style(tmp_path):
    path = tmp_path / "sheet.png"
    assert main(["sheet", str(path), "--rows", "1", "--columns", "1", "--size", "32", "--style", "crayon"]) == 0
    with Image.open(path) as sheet:
        assert sheet.crop((2, 2, 34, 34)).tobytes() == render(make_scene(0, 0), 32, style="crayon").tobytes()


def test_a_sheet_of_pages_charts_and_boxes(tmp_path, capsys):
    path, kinds = tmp_path / "sheet.png", ["documents", "charts", "detection"]
    command = ["sheet", str(path), "--rows", "4", "--columns", "1", "--size", "192", "--seed", "5", "--kind"]
    assert main([*command, *kinds]) == 0
    rows = [document_row(5, "train", 0), chart_row(5, "train", 0), detection_row(5, "train", 0)]
    rows.append(document_row(5, "train", 1))  # the kinds take turns
    printed = [row["messages"][-1]["content"][0]["text"] for row in rows]
    assert capsys.readouterr().out == "\n".join(printed) + "\n"
    with Image.open(path) as sheet:
        shown = [sheet.crop((2, top, 194, top + 192)) for top in (2, 198, 394, 590)]
    plain = [row["images"][0] for row in rows]
    for number in (0, 1, 3):
        assert shown[number].tobytes() == plain[number].tobytes()
    box = parse_boxes(printed[2]).all_boxes[0]
    corner = tuple(round(value * 191 / 999) for value in box[:2])
    assert shown[2].getpixel(corner) == (208, 32, 32)
    changed = ImageChops.difference(shown[2], plain[2]).getbbox()
    assert changed[0] <= corner[0] and changed[1] <= corner[1]


def test_a_sheet_that_cannot_be_drawn(fails, tmp_path):
    path = str(tmp_path / "sheet.png")
    assert "give positive numbers" in fails("sheet", path, "--rows", "0")
    assert "oil" in fails("sheet", path, "--style", "oil")
    assert "kind='maps' is unknown; choose from scenes, documents" in fails("sheet", path, "--kind", "maps")
    assert "image_size=32 cannot be" in fails("sheet", path, "--kind", "documents", "--size", "32")
    assert "nowhere" in fails("sheet", str(tmp_path / "nowhere" / "sheet.png"), "--rows", "1")
    assert "extension" in fails("sheet", str(tmp_path / "sheet.txt"), "--rows", "1")


def test_the_demo_needs_its_configuration(fails, tmp_path):
    assert "nowhere.yaml does not exist" in fails("demo", "--config", str(tmp_path / "nowhere.yaml"))


def test_a_command_is_needed(capsys):
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 2 and "presets" in capsys.readouterr().err


def test_the_console_script_is_this_function():
    from importlib.metadata import entry_points

    (script,) = entry_points(group="console_scripts", name="nanovlms")
    assert script.load() is main
