"""The DPO stage: the same losses with scores from disk as with TRL's reference model, and one model in memory."""

import json
import math
from pathlib import Path

import pytest
import torch
import trl.trainer.dpo_trainer
from datasets import Dataset
from peft import LoraConfig
from safetensors.torch import load_file
from small_dpo import losses, run_dpo
from small_stages import finished_sft, tiny_model
from transformers import TrainerCallback

from nanovlms_hf.data.preferences import preference_dataset
from nanovlms_hf.training import dpo
from nanovlms_hf.training.dpo import model_digest, with_reference
from nanovlms_hf.training.dpo_trainer import DPOArguments, NanoVLMsDPOTrainer
from nanovlms_hf.training.pair_scores import PreferenceCollator, pair_log_probs, score_rows

ERRORS = {"colour": 1.0, "kind": 1.0}


def pairs(length=4, split="train", **options) -> Dataset:
    return preference_dataset(split, length, **{"image_size": 64, "errors": ERRORS} | options)


def arguments(folder, **changes) -> DPOArguments:
    settings = {
        "output_dir": str(folder / "out"),
        "reference_folder": str(folder / "scores"),
        "per_device_train_batch_size": 2,
        "max_steps": 3,
        "learning_rate": 1e-2,
        "lr_scheduler_type": "constant",
        "logging_steps": 1,
        "save_strategy": "no",
        "use_cpu": True,
        "disable_tqdm": True,
    }
    return DPOArguments(**settings | changes)


def trainer_of(folder, scored=True, peft_config=None, start=None, **changes) -> NanoVLMsDPOTrainer:
    """A trainer of the tiny model, with scores in its rows or with TRL's own reference."""
    model, processor = start or tiny_model()
    collate, settings, rows = (
        PreferenceCollator(processor, errors=tuple(ERRORS)),
        arguments(folder, **changes),
        pairs(6),
    )
    if scored:
        rows = with_reference(rows, model, collate, settings)
    reference = None if scored or peft_config else tiny_model()[0]
    return NanoVLMsDPOTrainer(
        model=model,
        ref_model=reference,
        args=settings,
        train_dataset=rows,
        processing_class=processor,
        data_collator=collate,
        peft_config=peft_config,
        errors=tuple(ERRORS),
    )


def trained(trainer) -> list[float]:
    trainer.train()
    return [row["loss"] for row in trainer.state.log_history if "loss" in row]


def test_losses_with_scores_are_those_with_a_reference_model(tmp_path, monkeypatch):
    changes = {"eval_strategy": "steps", "eval_steps": 3, "train_rows": 4, "learning_rate": 3e-3, "max_steps": 6}
    with_model = run_dpo(tmp_path / "model", reference="model", **changes)
    for module, name in ((trl.trainer.dpo_trainer, "create_model_from_path"), (dpo, "deepcopy")):
        monkeypatch.setattr(module, name, None)  # a second model cannot be made
    with_scores = run_dpo(tmp_path / "scores_run", **changes)
    assert len(losses(with_scores)) == 6 and losses(with_scores)[0] == pytest.approx(math.log(2), abs=1e-5)
    for key in ("loss", "eval_loss"):
        assert losses(with_scores, key) == pytest.approx(losses(with_model, key), abs=1e-5)
    assert losses(with_scores)[-1] < losses(with_scores)[0] - 0.01  # it trained


def test_no_second_model_is_in_memory(tmp_path):
    trainer = trainer_of(tmp_path)
    assert trainer.ref_model is None and trainer.precompute_ref_logps
    trainer.train()
    models = [module for module in trainer.model.modules() if hasattr(module, "lm_head")]
    assert len(models) == 1


def test_with_an_adapter_the_reference_is_the_base(tmp_path):
    adapter = LoraConfig(r=4, target_modules=r".*language_model.*\.(q_proj|v_proj)")
    without = trained(trainer_of(tmp_path, scored=False, peft_config=adapter))
    scored = trained(trainer_of(tmp_path, peft_config=adapter))
    assert scored == pytest.approx(without, abs=1e-5) and scored[0] == pytest.approx(math.log(2), abs=1e-5)
    full = trained(trainer_of(tmp_path, scored=False))
    assert full[0] == pytest.approx(scored[0], abs=1e-5) and full[-1] != pytest.approx(scored[-1], abs=1e-3)
    assert len(list((tmp_path / "scores").iterdir())) == 1  # the base's scores, once


def test_a_model_with_adapters_is_scored_with_them_off(tmp_path):
    from peft import get_peft_model

    model, processor = tiny_model()
    collate = PreferenceCollator(processor)
    plain = with_reference(pairs(), model, collate, arguments(tmp_path / "plain"))
    adapted = get_peft_model(
        model, LoraConfig(r=4, target_modules=r".*language_model.*\.q_proj", init_lora_weights=False)
    )
    off = with_reference(pairs(), adapted, collate, arguments(tmp_path / "adapted"))
    assert [row["ref_chosen_logps"] for row in off] == [row["ref_chosen_logps"] for row in plain]


def test_scores_are_found_again_and_not_for_another_model_or_other_data(tmp_path, monkeypatch):
    computed = []
    compute = dpo._computed_together
    monkeypatch.setattr(
        dpo, "_computed_together", lambda rows, *rest: computed.append(len(rows)) or compute(rows, *rest)
    )
    model, processor = tiny_model()
    collate, settings = PreferenceCollator(processor), arguments(tmp_path)
    first = with_reference(pairs(), model, collate, settings)
    again = with_reference(pairs(), tiny_model()[0], collate, settings)
    assert computed == [4]
    assert [row["ref_chosen_logps"] for row in again] == [row["ref_chosen_logps"] for row in first]
    with_reference(pairs(4, seed=1), model, collate, settings)
    with torch.no_grad():
        next(model.parameters()).add_(1e-3)
    moved = with_reference(pairs(), model, collate, settings)
    assert computed == [4, 4, 4]
    assert [row["ref_chosen_logps"] for row in moved] != [row["ref_chosen_logps"] for row in first]
    assert with_reference(None, model, collate, settings) is None


def test_a_digest_sees_weights_and_configuration():
    model, _ = tiny_model()
    digest = model_digest(model)
    assert digest == model_digest(tiny_model()[0]) != model_digest(tiny_model(seed=1)[0])
    model.config.text_config.rope_theta = 5.0
    assert model_digest(model) != digest


def test_log_probabilities_are_those_of_the_logits():
    model, processor = tiny_model()
    model.eval()
    batch = PreferenceCollator(processor, errors=tuple(ERRORS))(list(pairs(3)))
    chosen, rejected = pair_log_probs(model, batch)
    with torch.no_grad():
        inputs = {key: batch[key] for key in ("input_ids", "attention_mask", "pixel_values")}
        of_tokens = model(**inputs).logits[:, :-1].log_softmax(-1)
    of_tokens = of_tokens.gather(-1, batch["input_ids"][:, 1:, None])[..., 0] * batch["completion_mask"][:, 1:]
    torch.testing.assert_close(torch.cat((chosen, rejected)), of_tokens.sum(-1), rtol=1e-5, atol=1e-4)
    one_by_one = list(score_rows(model, PreferenceCollator(processor), pairs(3), batch_size=1))
    torch.testing.assert_close(torch.tensor(one_by_one), torch.stack((chosen, rejected), 1), rtol=1e-5, atol=1e-4)


def test_the_collator_masks_what_is_not_the_text():
    _, processor = tiny_model()
    rows = list(pairs(3))
    batch = PreferenceCollator(processor, errors=("kind", "colour"))(rows)
    texts = [row[key][0]["content"][0]["text"] for key in ("chosen", "rejected") for row in rows]
    for ids, mask, text in zip(batch["input_ids"], batch["completion_mask"], texts, strict=True):
        assert processor.tokenizer.decode(ids[mask == 1], skip_special_tokens=True).strip() == text
    assert batch["error_numbers"].tolist() == [["kind", "colour"].index(row["error"]) for row in rows]
    assert "prompt" in rows[0] and rows[0]["prompt"][0]["content"][0] == {
        "type": "image"
    }  # rows are left as they were


def test_accuracy_is_told_by_kind_of_error(tmp_path):
    summary = run_dpo(tmp_path / "run", eval_strategy="steps", eval_steps=3, validation_rows=7)
    (told,) = [row for row in summary["loss_history"] if "eval_loss" in row]
    model, processor = dpo.build(dpo.ModelArguments(model_name_or_path=str(tmp_path / "run")), list)
    rows = list(pairs(7, "validation"))
    right = [chosen > rejected for chosen, rejected in score_rows(model, PreferenceCollator(processor), rows)]
    assert told["eval_pairs/accuracy"] == pytest.approx(sum(right) / 7)
    for error in ERRORS:
        of_kind = [ok for ok, row in zip(right, rows, strict=True) if row["error"] == error]
        assert told[f"eval_pairs/accuracy_{error}"] == pytest.approx(sum(of_kind) / len(of_kind))


def test_what_a_stage_leaves(tmp_path):
    summary = run_dpo(tmp_path / "run", freeze="vision_tower")
    folder = tmp_path / "run"
    assert json.loads((folder / "training.json").read_text()) == summary
    assert (summary["optimizer_steps"], summary["images_seen"]) == (3, 12)
    assert (
        summary["data"]["picture_world"]
        and summary["data"]["preferences"] == ERRORS
        and summary["data"]["train_rows"] == 12
    )
    assert (folder / "loss_curve.png").is_file() and (folder / "tokenizer.json").is_file()
    start, end = (load_file(path / "model.safetensors") for path in (finished_sft()[0], folder))
    moved = {name for name in start if not torch.equal(start[name], end[name])}
    assert moved and not any("vision_tower" in name for name in moved)


def test_rates_by_component(tmp_path):
    run_dpo(
        tmp_path / "run", component_learning_rates='{"language_model": 0.0, "vision_tower": 0.0, "connector": 0.01}'
    )
    start, end = (load_file(path / "model.safetensors") for path in (finished_sft()[0], tmp_path / "run"))
    moved = {name for name in start if not torch.equal(start[name], end[name])}
    assert moved and all("connector" in name for name in moved)


def test_muon_trains(tmp_path):
    summary = run_dpo(tmp_path / "run", muon_learning_rate=0.002, learning_rate=1e-4, train_rows=4, max_steps=6)
    assert summary["muon_learning_rate"] == 0.002 and losses(summary)[-1] < losses(summary)[0] - 0.01


def test_a_resumed_run_goes_on_as_if_it_had_not_stopped(tmp_path):
    class Killed(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            control.should_training_stop = state.global_step == 2

    whole = run_dpo(tmp_path / "whole", max_steps=4)
    changes = {"save_strategy": "steps", "save_steps": 2, "max_steps": 4}
    original = dpo.NanoVLMsDPOTrainer
    try:
        dpo.NanoVLMsDPOTrainer = lambda **kwargs: original(**kwargs, callbacks=[Killed()])
        run_dpo(tmp_path / "parts", **changes)
    finally:
        dpo.NanoVLMsDPOTrainer = original
    summary = run_dpo(tmp_path / "parts", **changes, resume_from_checkpoint="auto")
    assert summary["resumed_at_step"] == 2 and summary["optimizer_steps"] == 4
    assert losses(summary) == pytest.approx(losses(whole), abs=1e-5)
    left, right = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "parts"))
    assert all(torch.allclose(left[name], right[name], atol=1e-5) for name in left)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"max_length": 64}, "max_length=64 would cut examples off"),
        ({"reference": "disk"}, "reference='disk' is unknown; choose one of scores, model"),
        ({"precompute_ref_log_probs": True}, "precompute_ref_log_probs=True is refused by TRL for pictures"),
        ({"ld_alpha": 0.5}, "ld_alpha needs the reference model at every step"),
        ({"sync_ref_model": True}, "sync_ref_model needs the reference model at every step"),
        (
            {"model_name_or_path": None, "preset": "nanovlm-tiny"},
            "DPO goes on from a trained model, and the recipe names none",
        ),
        ({"train_rows": None}, "train_rows is not set, but the picture world is endless"),
        ({"errors": '{"smell": 1}'}, "has to give kinds of error a weight above 0"),
        ({"errors": "[1]"}, "errors is a list, but a mapping"),
        ({"sources": "x.yaml"}, "sources and errors or world were both given"),
        (
            {"use_peft": True, "lora_target_modules": "eyes"},
            "lora_target_modules names 'eyes', which is no linear layer",
        ),
        (
            {"use_peft": True, "lora_modules_to_save": "eyes"},
            "lora_modules_to_save names 'eyes', which this model has not",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(tmp_path, changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        run_dpo(tmp_path / "run", **changes)
    assert not list(tmp_path.iterdir())


def real_pairs(folder: Path, rejected=("Wrong.", "Wrong.", "Wrong.", "Wrong.")) -> Path:
    """A folder of pictures with answers and its source entry."""
    from PIL import Image

    lines = []
    for index, wrong in enumerate(rejected):
        Image.new("RGB", (20, 20), (40 * index, 80, 0)).save(folder / f"{index}.png")
        lines.append(json.dumps({"file_name": f"{index}.png", "chosen": "Right.", "rejected": wrong}))
    (folder / "metadata.jsonl").write_text("\n".join(lines))
    entry = folder / "pairs.yaml"
    entry.write_text(
        "name: own\npath: imagefolder\ndata_dir: .\nmessages:\n  - user: What is it?\n"
        'chosen: "{chosen}"\nrejected: "{rejected}"\n'
    )
    return entry


def test_real_pairs_train(tmp_path):
    (tmp_path / "data").mkdir()
    entry = real_pairs(tmp_path / "data")
    changes = {"errors": None, "sources": entry, "train_rows": None, "max_steps": 2, "per_device_train_batch_size": 2}
    summary = run_dpo(tmp_path / "run", **changes, validation_rows=1, eval_strategy="steps", eval_steps=2)
    assert summary["data"]["train_rows"] == 3 and summary["data"]["sources"][0]["name"] == "own"
    assert "eval_pairs/accuracy" in summary["loss_history"][-1]


def test_a_row_without_a_difference_stops_the_run_before_anything_is_written(tmp_path):
    (tmp_path / "data").mkdir()
    entry = real_pairs(tmp_path / "data", ("Wrong.", "Wrong.", "Right.", "Wrong."))
    with pytest.raises(ValueError, match="source 'own', row 2: chosen and rejected are the same text"):
        run_dpo(tmp_path / "run", errors=None, sources=entry, train_rows=None)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_row_that_is_too_long_stops_the_run_before_any_is_scored(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    entry = real_pairs(tmp_path / "data", ("Wrong.", "wrong " * 2000, "Wrong.", "Wrong."))
    monkeypatch.setattr(dpo, "with_reference", None)
    with pytest.raises(ValueError, match="an example has .* tokens with its pictures"):
        run_dpo(tmp_path / "run", errors=None, sources=entry, train_rows=None, validation_rows=0)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_bad_pairs_are_named_by_the_collator():
    _, processor = tiny_model()
    collate = PreferenceCollator(processor)
    row = dict(pairs(1)[0])
    with pytest.raises(ValueError, match="a preference row has the same text as chosen and rejected"):
        collate([{**row, "rejected": row["chosen"]}])
    for images in ([], [None]):
        with pytest.raises(ValueError, match="lacks its picture; give one, or leave the row out"):
            collate([{**row, "images": images}])
    long = [{"role": "assistant", "content": [{"type": "text", "text": "word " * 2000}]}]
    with pytest.raises(ValueError, match="an example has .* tokens with its pictures, but the decoder's context is"):
        collate([{**row, "chosen": long}])


def test_scores_in_one_dataset_alone_are_refused(tmp_path):
    model, processor = tiny_model()
    collate = PreferenceCollator(processor)
    rows = with_reference(pairs(), model, collate, arguments(tmp_path))
    with pytest.raises(ValueError, match="reference scores are in the training rows or in the validation rows alone"):
        NanoVLMsDPOTrainer(
            model=model,
            args=arguments(tmp_path),
            train_dataset=rows,
            eval_dataset=pairs(2, "validation"),
            processing_class=processor,
            data_collator=collate,
        )


def test_a_recipe_trains_an_adapter_alone(tmp_path):
    changes = {"use_peft": True, "lora_target_modules": "language_model", "lora_dropout": 0.0, "train_rows": 4}
    scored = run_dpo(tmp_path / "adapter", **changes)
    model = run_dpo(tmp_path / "model", reference="model", **changes)
    assert losses(scored) == pytest.approx(losses(model), abs=1e-5)
    files = {path.name for path in (tmp_path / "adapter").iterdir()}
    assert "adapter_model.safetensors" in files and "model.safetensors" not in files
    assert scored["parameters"]["trainable"] < scored["parameters"]["total"] / 2
