"""The short form: before a training, with no trace left; and what it stops on."""

import logging
import random

import numpy as np
import pytest
import torch
from datasets import Dataset
from patients import KINDS, Patient, ours, row
from peft import LoraConfig
from safetensors.torch import load_file
from small_stages import SFT, flags, tiny_model
from small_vocabularies import STAGE_1, run_marks
from trl import DPOConfig, DPOTrainer, GRPOConfig, GRPOTrainer

from nanovlms_hf import vocabulary
from nanovlms_hf.data.mixture import StreamedMixture
from nanovlms_hf.data.mixture_config import build_mixture
from nanovlms_hf.data.world import world_dataset
from nanovlms_hf.doctor import check_trainer
from nanovlms_hf.doctor.examples import rows_of
from nanovlms_hf.training import sft, tower_stage
from nanovlms_hf.training.arguments import DataArguments, ModelArguments, StageArguments, parse
from nanovlms_hf.training.trainer import NanoVLMsSFTTrainer


class ExaminedTrainer(NanoVLMsSFTTrainer):
    """Looks at itself before it trains, as a recipe's `run` does."""

    def train(self, *args, **kwargs):
        check_trainer(self, self.processing_class)
        return super().train(*args, **kwargs)


def train(folder, trainer_class, **changes) -> tuple[dict, dict]:
    """Weights and losses of the smallest SFT stage."""
    arguments = parse((ModelArguments, DataArguments, StageArguments), flags(SFT, folder, **changes))
    summary = sft.run(*arguments, trainer_class=trainer_class)
    return load_file(folder / "model.safetensors"), summary["loss_history"]


@pytest.mark.parametrize("changes", [{}, {"muon_learning_rate": 0.01, "gradient_checkpointing": True}], ids=str)
def test_a_training_is_the_same_bit_for_bit(tmp_path, changes):
    plain, losses = train(tmp_path / "plain", NanoVLMsSFTTrainer, **changes)
    examined, same = train(tmp_path / "examined", ExaminedTrainer, **changes)
    assert plain.keys() == examined.keys() and losses == same
    assert all(torch.equal(plain[name], examined[name]) for name in plain)


def states(model) -> dict:
    """All that looking may not change."""
    inner = {name: (module.training, sorted(vars(module))) for name, module in model.named_modules()}
    hooks = {
        name: [len(value) for key, value in vars(m).items() if "hooks" in key] for name, m in model.named_modules()
    }
    return {
        "random": (random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist()),
        "modules": inner,
        "hooks": hooks,
        "requires_grad": [parameter.requires_grad for parameter in model.parameters()],
        "grad": [parameter.grad is None for parameter in model.parameters()],
        "values": [value.tolist() for value in model.state_dict().values()],
        "buffers": [value.tolist() for value in model.buffers()],
    }


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("training", [True, False])
def test_nothing_is_left_changed(kind, training):
    patient = KINDS[kind]()
    patient.model.train(training)
    patient.options = {"packed": True}
    before, rows = states(patient.model), str(patient.rows)
    assert patient.codes() == []
    assert states(patient.model) == before and str(patient.rows) == rows


def test_a_buffer_that_a_forward_pass_moves_is_put_back():
    patient = ours()
    norm = torch.nn.BatchNorm1d(32)
    patient.model.model.add_module("norm", norm)
    patient.model.model.connector.register_forward_hook(
        lambda module, args, output: norm(output.flatten(0, 1)).view_as(output)
    )
    patient.model.train()
    assert patient.codes() == []
    assert int(norm.num_batches_tracked) == 0 and norm.running_mean.eq(0).all() and norm.training


def trainer_of(patient: Patient, folder, rows=None, **options) -> NanoVLMsSFTTrainer:
    patient.processor.tokenizer.model_max_length = 128
    rows = (
        rows
        if rows is not None
        else Dataset.from_dict({"index": range(len(patient.rows))}).with_transform(
            lambda batch: {key: [patient.rows[i][key] for i in batch["index"]] for key in ("images", "messages")}
        )
    )
    return NanoVLMsSFTTrainer(
        model=patient.model,
        args=StageArguments(output_dir=str(folder), use_cpu=True, **options),
        train_dataset=rows,
        processing_class=patient.processor,
    )


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_healthy_trainer_passes_and_its_examples_are_logged(kind, tmp_path, caplog):
    patient = KINDS[kind]()
    if kind == "llava":  # TRL's collator needs the block for assistant_only_loss
        patient.processor.chat_template = ours().processor.chat_template
    trainer = trainer_of(patient, tmp_path)
    with caplog.at_level(logging.WARNING, "nanovlms_hf"):
        assert check_trainer(trainer, patient.processor) == []
    shown = [record.message for record in caplog.records if record.message.startswith("example (")]
    assert len(shown) == 3 and "[[a red dog<|end|>]]" in shown[0] and "<image>x" in shown[0]


def test_a_fault_stops_the_run_with_its_cure(tmp_path):
    patient = ours()
    patient.processor.image_seq_length = 5
    with pytest.raises(ValueError) as caught:
        check_trainer(trainer_of(patient, tmp_path), patient.processor)
    said = str(caught.value)
    assert said.startswith("the doctor stops this run before its first step. placeholder_mismatch: example 1 has 5 ")
    assert "one call of the processor" in said and "\n" not in said


def test_a_warning_does_not_stop_it(tmp_path, caplog):
    patient = ours()
    with caplog.at_level(logging.WARNING, "nanovlms_hf"):
        (finding,) = check_trainer(trainer_of(patient, tmp_path, assistant_only_loss=False), patient.processor)
    assert finding.code == "placeholders_supervised"
    assert any("the doctor warns of placeholders_supervised" in record.message for record in caplog.records)


def test_a_doctor_that_fails_does_not_end_the_run(tmp_path, caplog, monkeypatch):
    def fail(*_, **__):
        raise KeyError("odd")

    monkeypatch.setattr("nanovlms_hf.doctor.run.check_gradients", fail)
    patient = ours()
    with caplog.at_level(logging.WARNING, "nanovlms_hf"):
        assert check_trainer(trainer_of(patient, tmp_path), patient.processor) == []
    assert any("could not look at this run (KeyError: 'odd')" in record.message for record in caplog.records)


def test_what_a_recipe_freezes_is_told(tmp_path):
    patient = ours()
    trainer = trainer_of(patient, tmp_path)
    with pytest.raises(ValueError, match="frozen_with_gradient: .* though language_model should not train"):
        check_trainer(trainer, patient.processor, frozen=["language_model"])
    patient.model.model.language_model.requires_grad_(False)
    with pytest.raises(ValueError, match=r"1 parameter\(s\) \(lm_head.weight\)"):
        check_trainer(trainer, patient.processor, frozen=["language_model"])
    patient.model.lm_head.requires_grad_(False)
    assert check_trainer(trainer, patient.processor, frozen=["language_model"]) == []


def test_an_end_that_trainer_will_set_is_well(tmp_path):
    patient = ours()
    patient.model.generation_config.eos_token_id = None  # the tokenizer's is given when training starts
    assert check_trainer(trainer_of(patient, tmp_path), patient.processor) == []
    patient.processor.tokenizer.eos_token = "<|user|>"
    with pytest.raises(ValueError, match="end_never_stops: answers end with '<|end|>' = 1"):
        check_trainer(trainer_of(patient, tmp_path), patient.processor)


def test_adapters_are_well_and_a_base_that_trains_is_not(tmp_path):
    patient = ours()
    trainer = NanoVLMsSFTTrainer(
        model=patient.model,
        args=StageArguments(output_dir=str(tmp_path), use_cpu=True),
        train_dataset=world_dataset("train", 3, image_size=16),
        processing_class=patient.processor,
        peft_config=LoraConfig(target_modules="all-linear", r=4),
    )
    patient.processor.tokenizer.model_max_length = 512
    assert check_trainer(trainer, patient.processor) == []
    for name, parameter in trainer.model.named_parameters():
        if "language_model" in name and name.endswith("q_proj.base_layer.weight"):
            parameter.requires_grad_(True)
    with pytest.raises(
        ValueError, match="frozen_with_gradient: 2 parameter.*the base of the adapters should not train"
    ):
        check_trainer(trainer, patient.processor)


# Rows -----------------------------------------------------------------------------------------------------------------


def test_rows_are_looked_for_one_with_a_picture():
    texts = [row(index, pictures=0) for index in range(6)]
    found = rows_of([*texts, row(9)])
    assert found[:2] == texts[:2] and len(found) == 3 and len(found[2]["images"]) == 1
    assert rows_of(texts) == texts[:3] and rows_of([]) == [] and rows_of(None) == []


def test_a_stream_is_left_where_it_was():
    entries = [{"name": "scenes", "weight": 1, "scenes": {"mixture": {"short": 1.0}}}]
    parts = build_mixture(entries, split="train", seed=0, length=4, image_size=16).schedule.parts
    stream, other = (StreamedMixture(parts, 8) for _ in range(2))
    stream.load_state_dict({"row": 2}), other.load_state_dict({"row": 2})
    assert len(rows_of(stream)) == 3 and stream.state_dict() == {"row": 2}
    assert [item["messages"] for item in stream] == [item["messages"] for item in other]
    generator = iter([row(1)])
    assert rows_of(generator) == [] and next(generator)["images"]  # may be readable only once


# Stages without text, and others of TRL ---------------------------------------------------------------------------------


def checked(monkeypatch, stage, frozen=()) -> list:
    """Runs a stage with the short form where `run` calls it; returns the findings of all trainers."""
    found = []

    def trained(trainer, *args, **kwargs):
        processor = trainer.processing_class or trainer.data_collator.image_processor
        found.extend(check_trainer(trainer, processor, frozen=frozen))
        raise StopIteration

    monkeypatch.setattr("transformers.Trainer.train", trained)
    with pytest.raises(StopIteration):
        stage()
    return found


def tower_flags(folder, **changes) -> list[str]:
    base = {"preset": "nanovlm-tiny", "train_rows": 8, "validation_rows": 2, "max_steps": 1}
    return flags(base, folder, **changes)


def test_a_tower_stage_is_well(monkeypatch, tmp_path):
    assert checked(monkeypatch, lambda: tower_stage.main(tower_flags(tmp_path))) == []


def test_a_marks_stage_is_well(monkeypatch, tmp_path):
    assert checked(monkeypatch, lambda: run_marks(tmp_path)) == []


def test_a_tower_stage_whose_pictures_are_spoilt(monkeypatch, tmp_path):
    monkeypatch.setattr("nanovlms_hf.image_processing_nanovlms.NanoVLMsImageProcessor.do_rescale", False)
    with pytest.raises(ValueError, match="pictures_not_rescaled"):
        checked(monkeypatch, lambda: tower_stage.main(tower_flags(tmp_path)))


def test_a_tower_whose_way_back_is_cut(monkeypatch, tmp_path):
    class Detached(tower_stage.DensePretrainingModel):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.vision_tower.register_forward_hook(
                lambda module, inputs, output: output.__class__(last_hidden_state=output.last_hidden_state.detach())
            )

    monkeypatch.setattr(tower_stage, "DensePretrainingModel", Detached)
    with pytest.raises(ValueError, match="trainable_without_gradient.*vision_tower"):
        checked(monkeypatch, lambda: tower_stage.main(tower_flags(tmp_path)))


def test_stage_1_is_well_with_its_marks(monkeypatch, tmp_path):
    assert checked(monkeypatch, lambda: vocabulary.main(flags(STAGE_1, tmp_path))) == []


def preferences() -> Dataset:
    """Pairs about pictures, as DPO takes them."""
    pairs = []
    for index in range(3):
        chat = row(index)
        pairs.append(
            {
                "images": chat["images"],
                "prompt": chat["messages"][:1],
                "chosen": chat["messages"][1:],
                "rejected": [{"role": "assistant", "content": [{"type": "text", "text": "a blue cat"}]}],
            }
        )
    return Dataset.from_list(pairs)


def dpo(folder, patient: Patient) -> DPOTrainer:
    settings = {
        "max_length": None,
        "bf16": False,
        "gradient_checkpointing": False,
        "use_cpu": True,
        "report_to": "none",
    }
    return DPOTrainer(
        model=patient.model,
        args=DPOConfig(output_dir=str(folder), **settings),
        train_dataset=preferences(),
        processing_class=patient.processor,
    )


def test_a_dpo_trainer_is_well_and_its_faults_are_found(tmp_path):
    patient = ours()
    patient.model.save_pretrained(tmp_path)  # DPOTrainer loads its reference model from there
    patient.model = type(patient.model).from_pretrained(tmp_path)
    trainer = dpo(tmp_path, patient)
    assert check_trainer(trainer, patient.processor) == []
    report = check_trainer(trainer, patient.processor, full_report=True)
    assert report.examples[0].text().endswith("<|assistant|>[[a red dog<|end|>]]")
    with torch.no_grad():
        for parameter in patient.model.model.connector.parameters():
            parameter.zero_()
    with pytest.raises(ValueError, match="picture_ignored"):
        check_trainer(trainer, patient.processor)


def test_a_grpo_trainer_is_well_and_its_faults_are_found(tmp_path):
    patient = ours()
    rows = [{"images": row(index)["images"], "prompt": row(index)["messages"][:1]} for index in range(3)]
    settings = {"bf16": False, "gradient_checkpointing": False, "use_cpu": True, "report_to": "none"}
    trainer = GRPOTrainer(
        model=patient.model,
        reward_funcs=lambda completions, **_: [0.0] * len(completions),
        args=GRPOConfig(output_dir=str(tmp_path), num_generations=2, per_device_train_batch_size=2, **settings),
        train_dataset=Dataset.from_list(rows),
        processing_class=patient.processor,
    )
    assert check_trainer(trainer, patient.processor) == []
    patient.processor.tokenizer.eos_token = "<|user|>"
    patient.model.generation_config.eos_token_id = 7
    with pytest.raises(ValueError, match="end_never_stops"):
        check_trainer(trainer, patient.processor)


def test_the_smallest_preset_is_a_patient_too(tmp_path):
    model, processor = tiny_model()
    patient = Patient(model, processor, [world_dataset("train", 3, image_size=64)[index] for index in range(3)])
    assert patient.codes() == []
