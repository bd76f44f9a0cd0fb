"""Stage 1, its artifact and the merge, in runs of a few steps."""

import atexit
import json
import shutil
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
import torch
from safetensors.torch import load_file
from small_stages import flags
from small_vocabularies import (
    DECODER,
    STAGE_1,
    finished_stage_1,
    finished_stage_2,
    run_marks,
    run_stage_1,
    run_stage_2,
)
from transformers import (
    AutoModelForImageTextToText,
    AutoProcessor,
    CLIPConfig,
    CLIPVisionConfig,
    CLIPVisionModel,
    LlamaConfig,
    SamConfig,
    SamModel,
    SamVisionConfig,
    SamVisionModel,
)

from nanovlms_hf import (
    NanoVLMsImageProcessor,
    NanoVLMsVisionModel,
    NanoVLMsVisionVocabulary,
    NanoVLMsVocabularyConfig,
)
from nanovlms_hf.cli import main
from nanovlms_hf.presets import preset_config
from nanovlms_hf.training.building import component_of
from nanovlms_hf.training.vocabulary_stage import start_backbone
from nanovlms_hf.vocabulary import save_vocabulary

ROOT = Path(__file__).parents[2]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def part(tensors: dict[str, torch.Tensor], component: str) -> dict[str, torch.Tensor]:
    prefix = f"model.{component}."
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def losses(summary: dict) -> list[float]:
    return [row["loss"] for row in summary["loss_history"] if "loss" in row]


# The artifact


def test_the_artifact_is_a_folder_of_its_own():
    folder, summary = finished_stage_1()
    for name in ("config.json", "model.safetensors", "preprocessor_config.json", "README.md", "training.json"):
        assert (folder / name).is_file(), name
    vocabulary = NanoVLMsVisionVocabulary.from_pretrained(folder)
    processor = NanoVLMsImageProcessor.from_pretrained(folder)
    pixels = processor(torch.zeros(3, 50, 40, dtype=torch.uint8), return_tensors="pt")["pixel_values"]
    assert vocabulary(pixels).last_hidden_state.shape == (1, 144, vocabulary.config.hidden_size)
    assert summary["optimizer_steps"] == 2 and len(losses(summary)) == 2


def test_the_card_says_what_was_measured_and_nothing_else():
    folder, summary = finished_stage_1()
    card = (folder / "README.md").read_text()
    assert "| pages | documents | 66.7% |" in card and "| expressions | referring | 33.3% |" in card
    assert "2 steps on 4 rows" in card and "Preset `vary-nano`" in card
    assert {"ocr_cer", "rec_acc_iou50", "ocr_cer_blank"} <= set(summary["scores"])
    for name, value in summary["scores"].items():
        if isinstance(value, int | float):
            assert f"| {name} | {value} |" in card
    assert json.loads((folder / "training.json").read_text())["scores"] == summary["scores"]


def test_the_command_writes_the_family_s_card_of_an_artifact(tmp_path):
    folder, summary = finished_stage_1()
    shutil.copytree(folder, tmp_path / "artifact", ignore=shutil.ignore_patterns("reader"))
    assert main(["card", str(tmp_path / "artifact")]) == 0
    card = (tmp_path / "artifact" / "README.md").read_text()
    assert "# artifact\n\nA vision vocabulary:" in card and "It makes 144 tokens of" in card
    assert "pages (documents, 66.7%), expressions (referring, 33.3%)" in card and "8 rows of a mixture, seed 0" in card
    assert f"| ocr cer | the right picture | {summary['scores']['ocr_cer']:.4f} |" in card
    assert f"| ocr cer | a blank picture | {summary['scores']['ocr_cer_blank']:.4f} |" in card
    assert "rows per part" not in card and "2401.12503" in card


def test_the_card_of_a_merged_model_counts_both_towers(tmp_path):
    folder, summary = finished_stage_2()
    shutil.copytree(folder, tmp_path / "merged")
    assert main(["card", str(tmp_path / "merged")]) == 0
    card = (tmp_path / "merged" / "README.md").read_text()
    part = summary["parameters"]["components"]["vocabulary"]
    assert part["trainable"] == 0 and f"| vision vocabulary | {part['total']:,} | 0 | {part['total']:,} |" in card
    assert "a vision vocabulary for the same at 192 pixels, joined by channel" in card


def test_the_reader_holds_the_artifact_and_no_heads_of_the_training():
    folder, _ = finished_stage_1()
    reader, artifact = weights(folder / "reader"), weights(folder)
    assert part(reader, "vision_tower").keys() == artifact.keys()
    assert all(torch.equal(value, artifact[name]) for name, value in part(reader, "vision_tower").items())
    assert not [name for name in reader if "mark_heads" in name]
    AutoModelForImageTextToText.from_pretrained(folder / "reader")


def test_marks_teach_the_tower_before_stage_one(tmp_path):
    summary = run_marks(tmp_path / "marks")
    assert {"eval_characters_accuracy", "eval_kinds_accuracy", "eval_hundreds_accuracy", "eval_tens_accuracy"} <= set(
        summary["accuracy"]
    )
    marked = weights(tmp_path / "marks")
    run_stage_1(
        tmp_path / "on", vision_tower=tmp_path / "marks", learning_rate=0.0, muon_learning_rate=None, test_rows=0
    )
    assert all(torch.equal(value, marked[name]) for name, value in weights(tmp_path / "on").items())


def test_the_marks_are_learned_with_the_decoder_s_loss(tmp_path):
    with_marks = run_stage_1(tmp_path / "with", test_rows=0)
    without = run_stage_1(tmp_path / "without", test_rows=0, mark_weight=0)
    first, plain = with_marks["loss_history"][0], without["loss_history"][0]
    assert first["mark_loss"] > 1.0 and "mark_loss" not in plain
    assert first["grad_norm"] > 1.2 * plain["grad_norm"]  # the same weights and rows: what is more is the marks'


# The merge


def test_the_tower_in_the_merged_model_is_the_artifact_bit_for_bit():
    (artifact, _), (merged, _) = finished_stage_1(), finished_stage_2()
    saved, inside = weights(artifact), part(weights(merged), "vocabulary")
    assert inside.keys() == saved.keys()
    assert all(torch.equal(inside[name], value) for name, value in saved.items())


def test_exactly_what_is_not_frozen_moves(tmp_path):
    still = run_stage_2(
        tmp_path / "still", vocabulary=finished_stage_1()[0], learning_rate=0.0, muon_learning_rate=None
    )
    assert still["optimizer_steps"] == 2
    before, after = weights(tmp_path / "still"), weights(finished_stage_2()[0])
    assert before.keys() == after.keys()
    moved = {component_of(name) for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"vision_tower", "connector", "vocabulary_connector", "language_model"}
    stood = [name for name in before if torch.equal(before[name], after[name])]
    assert {component_of(name) for name in stood} <= {"vocabulary", "vision_tower"}
    # a conv bias before a norm gets no gradient; everything of the vocabulary stands
    assert {name for name in before if component_of(name) == "vocabulary"} <= set(stood)


def test_each_view_has_the_normalisation_of_its_tower(tmp_path):
    artifact, _ = finished_stage_1()
    shutil.copytree(artifact, tmp_path / "other")
    settings = json.loads((tmp_path / "other" / "preprocessor_config.json").read_text())
    settings |= {"image_mean": [0.4, 0.4, 0.4], "image_std": [0.3, 0.3, 0.3]}
    (tmp_path / "other" / "preprocessor_config.json").write_text(json.dumps(settings))
    run_stage_2(tmp_path / "merged", vocabulary=tmp_path / "other", max_steps=1)
    processor = AutoProcessor.from_pretrained(tmp_path / "merged").image_processor
    assert processor.high_res_image_mean == [0.4, 0.4, 0.4] and processor.high_res_image_std == [0.3, 0.3, 0.3]
    assert list(processor.image_mean) == [0.5, 0.5, 0.5]
    assert processor.high_res_size == {"height": 192, "width": 192} and dict(processor.size)["height"] == 96


def test_the_decoder_of_stage_one_goes_on(tmp_path):
    artifact, _ = finished_stage_1()
    run_stage_2(
        tmp_path / "merged",
        vocabulary=artifact,
        language_model=artifact / "reader",
        learning_rate=0.0,
        muon_learning_rate=None,
    )
    ours, theirs = (part(weights(folder), "language_model") for folder in (tmp_path / "merged", artifact / "reader"))
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)
    connector = part(weights(tmp_path / "merged"), "vocabulary_connector")
    assert connector["projection.proj.weight"].shape == (20, 144)  # joined by channel it is new
    tokenizer = AutoProcessor.from_pretrained(tmp_path / "merged").tokenizer
    assert tokenizer.get_vocab() == AutoProcessor.from_pretrained(artifact / "reader").tokenizer.get_vocab()


def test_joined_by_sequence_the_connector_of_stage_one_goes_on_too(tmp_path):
    artifact, _ = finished_stage_1()
    run_stage_2(
        tmp_path,
        vocabulary=artifact,
        language_model=artifact / "reader",
        overrides=json.dumps({"text_config": DECODER}),
        learning_rate=0.0,
        muon_learning_rate=None,
    )
    ours = part(weights(tmp_path), "vocabulary_connector")
    theirs = part(weights(artifact / "reader"), "connector")
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_an_artifact_can_be_the_only_tower(tmp_path):
    artifact, _ = finished_stage_1()
    run_stage_2(
        tmp_path / "alone",
        preset=None,
        overrides=json.dumps({"connector": "linear"}),
        vision_tower=artifact,
        language_model=artifact / "reader",
        freeze=["vision_tower"],
    )
    inside = part(weights(tmp_path / "alone"), "vision_tower")
    assert all(torch.equal(inside[name], value) for name, value in weights(artifact).items())


def test_joined_by_sequence_both_towers_keep_their_tokens(tmp_path):
    overrides = {"text_config": DECODER, "connector": "linear"}
    run_stage_2(tmp_path, vocabulary=finished_stage_1()[0], overrides=json.dumps(overrides), max_steps=1)
    model, processor = AutoModelForImageTextToText.from_pretrained(tmp_path), AutoProcessor.from_pretrained(tmp_path)
    assert model.config.image_seq_length == processor.image_seq_length == 288


# Starting from SAM

SAM = {"hidden_size": 16, "output_channels": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 32}
SAM |= {"patch_size": 4, "window_size": 3, "global_attn_indexes": [1], "mlp_dim": 32}


def small_sam(seed: int, whole: bool = False, **fields):
    torch.manual_seed(seed)
    vision = SamVisionConfig(**SAM | fields)
    if not whole:
        return SamVisionModel(vision)
    decoder = {
        "hidden_size": 8,
        "mlp_dim": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "iou_head_hidden_dim": 8,
    }
    prompts = {"hidden_size": 8, "image_size": 32, "patch_size": 4, "mask_input_channels": 4}
    return SamModel(SamConfig(vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=decoder))


@pytest.mark.parametrize("whole", [False, True])
def test_sam_s_weights_start_the_backbone(tmp_path, whole):
    saved = small_sam(5, whole)
    saved.save_pretrained(tmp_path)
    vocabulary = NanoVLMsVisionVocabulary(NanoVLMsVocabularyConfig({"model_type": "sam_vision_model", **SAM}))
    convolutions = [stage.conv.weight.clone() for stage in vocabulary.downsample]
    report = start_backbone(vocabulary, str(tmp_path))
    encoder = saved.vision_encoder.state_dict()
    assert len(report["matched"]) == len(encoder) and not report["missing"] and not report["reshaped"]
    assert bool(report["unused"]) == whole
    ours = vocabulary.backbone.vision_encoder.state_dict()
    assert all(torch.equal(ours[name], value) for name, value in encoder.items())
    assert all(
        torch.equal(stage.conv.weight, old) for stage, old in zip(vocabulary.downsample, convolutions, strict=True)
    )


def test_what_does_not_match_is_reported(tmp_path):
    small_sam(5, mlp_dim=24).save_pretrained(tmp_path)
    vocabulary = NanoVLMsVisionVocabulary(NanoVLMsVocabularyConfig({"model_type": "sam_vision_model", **SAM}))
    report = start_backbone(vocabulary, str(tmp_path))
    assert len(report["reshaped"]) == 6 and all(
        "mlp" in name for name in report["reshaped"]
    )  # two layers, lin1 and lin2
    assert report["matched"] and not report["missing"]


def test_weights_of_something_else_are_refused(tmp_path):
    tower = NanoVLMsVisionModel(preset_config("nanovlm-tiny").vision_config)
    tower.save_pretrained(tmp_path)
    vocabulary = NanoVLMsVisionVocabulary(NanoVLMsVocabularyConfig({"model_type": "sam_vision_model", **SAM}))
    with pytest.raises(ValueError, match="holds no weight of the vocabulary's backbone"):
        start_backbone(vocabulary, str(tmp_path))


# Killed and taken up again


LONG_RUN = {"max_steps": 6, "train_rows": 12, "save_strategy": "steps", "save_steps": 2, "test_rows": 0}
# What the process does to itself, as no other could at so exact a moment: it is SIGKILL all the same.
KILLED = """
import os, signal, sys
from transformers import Trainer
from nanovlms_hf import vocabulary

step, method = int(sys.argv[1]), sys.argv[2]
real = getattr(Trainer, method)


def killing(self, *arguments, **options):
    if self.state.global_step == step:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self, *arguments, **options)


setattr(Trainer, method, killing)
vocabulary.main(sys.argv[3:])
"""


@cache
def never_killed() -> tuple[Path, dict]:
    """Folder and summary of the long run, to be read only."""
    folder = Path(mkdtemp(prefix="nanovlms-whole-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder, run_stage_1(folder, **LONG_RUN)


def assert_goes_on(folder: Path, at_step: int | None = None) -> None:
    """Resumes a killed run: same losses, data position included, and same weights as the run that was never killed."""
    assert not (folder / "model.safetensors").exists()
    resumed = run_stage_1(folder, **LONG_RUN, resume_from_checkpoint="auto")
    assert resumed["resumed_at_step"] >= 2 if at_step is None else resumed["resumed_at_step"] == at_step
    whole, summary = never_killed()
    assert losses(resumed) == losses(summary)  # those before the kill are in the checkpoint's history
    ended, straight = weights(folder), weights(whole)
    assert all(torch.equal(ended[name], value) for name, value in straight.items())


def test_a_stage_one_killed_from_outside_goes_on_with_the_same_losses(tmp_path):
    command = [sys.executable, str(ROOT / "recipes" / "pretrain_vocabulary.py"), *flags(STAGE_1, tmp_path, **LONG_RUN)]
    killed = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    saved = tmp_path / "checkpoint-2" / "trainer_state.json"
    deadline = time.time() + 240
    while not saved.is_file():
        assert killed.poll() is None and time.time() < deadline, "the run ended before it could be killed"
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert_goes_on(tmp_path)


@pytest.mark.parametrize(
    ("step", "method", "left"),
    [
        (3, "training_step", {"checkpoint-2"}),  # three steps done, the last one in no checkpoint
        (4, "_save_optimizer_and_scheduler", {"checkpoint-2", "checkpoint-4"}),  # weights are there, the rest is not
    ],
)
def test_a_stage_one_killed_between_or_inside_checkpoints_goes_on_from_the_last_whole_one(
    tmp_path, step, method, left
):
    command = [sys.executable, "-c", KILLED, str(step), method, *flags(STAGE_1, tmp_path, **LONG_RUN)]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=240)
    assert done.returncode == -signal.SIGKILL
    assert {path.name for path in tmp_path.glob("checkpoint-*")} == left
    assert not (tmp_path / "checkpoint-4" / "trainer_state.json").exists()
    assert_goes_on(tmp_path, at_step=2)


# What cannot be

SMALL_CLIP = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"mixture": '{"short": 1}'}, "stage 1 trains on a mixture"),
        ({"preset": "nanovlm-tiny", "overrides": None}, "no vision vocabulary to train"),
        (
            {"mixture": '[{"name": "a", "weight": -1, "documents": {}}]'},
            "weight=-1; expected a finite number, 0 or more",
        ),
        ({"init_from": "no/such/folder"}, "init_from=no/such/folder is no such folder"),
        ({"slots": 0}, "slots=0: give a token room"),
        ({"mark_weight": -1}, "mark_weight=-1.0 is negative"),
        ({"train_rows": None}, "a mixture goes on for ever; say how many rows"),
    ],
)
def test_a_stage_one_that_cannot_be_writes_nothing(tmp_path, changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        run_stage_1(tmp_path / "out", **changes)
    assert not (tmp_path / "out" / "model.safetensors").exists() and not (tmp_path / "out" / "config.json").exists()


def test_an_artifact_that_does_not_fit_the_merge_is_named(tmp_path):
    small = preset_config("vary-nano").vocabulary_config
    small.backbone_config.image_size = 128
    NanoVLMsVisionVocabulary(small).save_pretrained(tmp_path / "small")
    with pytest.raises(
        ValueError, match=r"small does not fit this merge: .*144 tokens .*192|64 .*cannot be joined by channel"
    ):
        run_stage_2(tmp_path / "out", vocabulary=tmp_path / "small")
    assert not (tmp_path / "out" / "config.json").exists()


def test_a_plain_tower_whose_grid_fits_is_merged_like_a_vocabulary(tmp_path):
    clip = CLIPVisionConfig(image_size=96, patch_size=8, **SMALL_CLIP)
    torch.manual_seed(0)
    CLIPVisionModel(clip).save_pretrained(tmp_path / "clip")
    run_stage_2(tmp_path / "out", vocabulary=tmp_path / "clip", freeze="vocabulary", max_steps=1)
    saved, inside = weights(tmp_path / "clip"), part(weights(tmp_path / "out"), "vocabulary")
    assert inside.keys() == saved.keys() and all(torch.equal(inside[name], value) for name, value in saved.items())
    processor = AutoProcessor.from_pretrained(tmp_path / "out").image_processor
    assert processor.high_res_size == {"height": 96, "width": 96}


def test_what_is_no_tower_with_a_grid_is_not_merged(tmp_path):
    for name, config in {"decoder": LlamaConfig(), "clip": CLIPConfig()}.items():
        config.save_pretrained(tmp_path / name)
        sentence = rf"vocabulary='.*{name}' is a \w+ configuration without image_size and patch_size"
        with pytest.raises(ValueError, match=sentence):
            run_stage_2(tmp_path / "out", vocabulary=tmp_path / name)
    finished = {"preset": None, "overrides": None, "model_name_or_path": finished_stage_2()[0]}
    with pytest.raises(ValueError, match="is a llama configuration without image_size"):
        run_stage_2(tmp_path / "out", vocabulary=tmp_path / "decoder", **finished)
    CLIPVisionConfig(image_size=96, patch_size=16, **SMALL_CLIP).save_pretrained(tmp_path / "coarse")
    with pytest.raises(ValueError, match="144 tokens .* gives 36 .*cannot be joined by channel"):
        run_stage_2(tmp_path / "out", vocabulary=tmp_path / "coarse")
    assert not (tmp_path / "out" / "config.json").exists()


def test_a_vocabulary_of_another_size_is_not_swapped_into_a_finished_model(tmp_path):
    merged, _ = finished_stage_2()
    small = preset_config("vary-nano").vocabulary_config
    small.backbone_config.image_size = 128
    NanoVLMsVisionVocabulary(small).save_pretrained(tmp_path / "small")
    sentence = "sees 128 px with a token every 16 px, but the vocabulary of .* 192 px with one every 16 px; merge it"
    with pytest.raises(ValueError, match=sentence):
        run_stage_2(
            tmp_path / "out", preset=None, overrides=None, model_name_or_path=merged, vocabulary=tmp_path / "small"
        )


def test_a_swapped_vocabulary_brings_its_normalisation(tmp_path):
    artifact, _ = finished_stage_1()
    shutil.copytree(artifact, tmp_path / "other")
    settings = json.loads((tmp_path / "other" / "preprocessor_config.json").read_text())
    settings |= {"image_mean": [0.1, 0.1, 0.1], "image_std": [0.9, 0.9, 0.9]}
    (tmp_path / "other" / "preprocessor_config.json").write_text(json.dumps(settings))
    model = {"preset": None, "overrides": None, "model_name_or_path": finished_stage_2()[0], "max_steps": 1}
    run_stage_2(tmp_path / "swapped", vocabulary=tmp_path / "other", **model)
    processor = AutoProcessor.from_pretrained(tmp_path / "swapped").image_processor
    assert processor.high_res_image_mean == [0.1, 0.1, 0.1] and processor.high_res_image_std == [0.9, 0.9, 0.9]
    assert list(processor.image_mean) == [0.5, 0.5, 0.5]
    settings["size"] = {"height": 128, "width": 128}
    (tmp_path / "other" / "preprocessor_config.json").write_text(json.dumps(settings))
    with pytest.raises(ValueError, match="makes pictures of .*128.*, but the tower in the same folder sees 192x192"):
        run_stage_2(tmp_path / "bad", vocabulary=tmp_path / "other", **model)


def test_a_part_of_the_vocabulary_s_configuration_is_laid_over_the_preset_s():
    changed = preset_config("vary-nano", vocabulary_config={"num_hidden_layers": 0})
    assert changed.vocabulary_config.num_hidden_layers == 0 and changed.image_seq_length == 180


def test_a_stage_two_without_a_mixture_is_refused(tmp_path):
    with pytest.raises(ValueError, match="multi-task pretraining needs a mixture, a list of entries"):
        run_stage_2(tmp_path / "out", mixture=None, vocabulary=finished_stage_1()[0])


def test_a_vocabulary_for_a_model_built_without_one_is_refused(tmp_path):
    from small_stages import finished_sft

    with pytest.raises(ValueError, match="was built without a vision vocabulary; merge it when the model is built"):
        run_stage_2(
            tmp_path / "out",
            preset=None,
            overrides=None,
            model_name_or_path=finished_sft()[0],
            vocabulary=finished_stage_1()[0],
        )


def test_a_processor_of_another_size_is_not_saved_with_a_vocabulary(tmp_path):
    vocabulary = NanoVLMsVisionVocabulary(NanoVLMsVocabularyConfig({"model_type": "sam_vision_model", **SAM}))
    with pytest.raises(ValueError, match="makes pictures of .*16.*, but the vision vocabulary sees 32x32 pixels"):
        save_vocabulary(vocabulary, NanoVLMsImageProcessor(size={"height": 16, "width": 16}), tmp_path / "out")
    assert not (tmp_path / "out").exists()
