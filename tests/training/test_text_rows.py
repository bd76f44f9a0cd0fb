"""Rows without a picture: alone, beside rows with pictures, for models with one tower and with two."""

import pytest
import torch
from small_stages import tiny_model
from transformers import set_seed

from nanovlms_hf.data.mixture_config import build_mixture
from nanovlms_hf.training.arguments import ModelArguments, StageArguments
from nanovlms_hf.training.building import build, component_of, freeze
from nanovlms_hf.training.trainer import NanoVLMsSFTTrainer, SupervisedCollator

TEXT = {"name": "text", "weight": 1, "conversations": {"turns": [1, 2]}}
PICTURES = {"name": "pictures", "weight": 1, "scenes": {}}
QUESTIONS = {"name": "questions", "weight": 1, "document_questions": {"image_size": 192, "questions": 2}}
MIXTURES = {"text only": [TEXT], "mixed": [TEXT, PICTURES], "questions": [TEXT, QUESTIONS]}


def two_tower_model():
    """A small vary-nano: two towers, and a tokenizer of one token a byte."""
    set_seed(0)
    texts = ["What do you see?"]
    overrides = {"text_config": {"num_hidden_layers": 1}}
    return build(ModelArguments(preset="vary-nano", overrides=overrides), lambda: texts)


MODELS = {"one tower": tiny_model, "two towers": two_tower_model}


def trained(model, processor, entries, folder, **changes):
    """The trainer after two steps of two rows."""
    mixture = build_mixture(entries, split="train", seed=0, length=4, image_size=64)
    trainer = NanoVLMsSFTTrainer(
        model=model,
        args=StageArguments(
            output_dir=str(folder),
            use_cpu=True,
            max_steps=2,
            per_device_train_batch_size=2,
            learning_rate=1e-2,
            lr_scheduler_type="constant",
            logging_steps=1,
            save_strategy="no",
            disable_tqdm=True,
            train_sampling_strategy="sequential",
            **changes,
        ),
        train_dataset=mixture,
        processing_class=processor,
        data_collator=SupervisedCollator(processor, assistant_only_loss=True),
    )
    trainer.train()
    return trainer


@pytest.mark.parametrize(
    ("towers", "rows"),
    [("one tower", "text only"), ("two towers", "text only"), ("two towers", "mixed"), ("two towers", "questions")],
)
def test_a_mixture_with_text_rows_trains(towers, rows, tmp_path):
    (model, processor), entries = MODELS[towers](), MIXTURES[rows]
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    losses = [row["loss"] for row in trained(model, processor, entries, tmp_path).state.log_history if "loss" in row]
    assert len(losses) == 2 and all(0 < loss < 20 for loss in losses)
    moved = {
        component_of(name) for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])
    }
    assert moved == ({component_of(name) for name in before} if len(entries) > 1 else {"language_model"})


def test_a_batch_of_text_has_no_pixels_and_a_mixed_one_only_those_of_its_pictures():
    _, processor = two_tower_model()
    collate = SupervisedCollator(processor, assistant_only_loss=True)
    mixture = build_mixture([TEXT, PICTURES], split="train", seed=0, length=16, image_size=64)
    rows = [mixture[index] for index in range(16)]
    text, pictures = ([row for row in rows if row["part"] == part] for part in ("text", "pictures"))
    assert not {"pixel_values", "high_res_pixel_values"} & set(collate(text[:3]))
    mixed = collate([text[0], pictures[0], text[1], pictures[1]])
    assert mixed["pixel_values"].shape == (2, 3, 96, 96)
    assert mixed["high_res_pixel_values"].shape == (2, 3, 192, 192)
    places = (mixed["input_ids"] == processor.image_token_id).sum(-1).tolist()
    assert places == [0, processor.image_seq_length, 0, processor.image_seq_length]


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_a_text_row_has_the_same_loss_alone_and_beside_a_picture(make):
    model, processor = make()
    model.eval()
    collate = SupervisedCollator(processor, assistant_only_loss=True)
    mixture = build_mixture([TEXT, PICTURES], split="train", seed=0, length=8, image_size=64)
    rows = {row["part"]: row for row in (mixture[index] for index in range(8))}
    alone, mixed = collate([rows["text"]]), collate([rows["text"], rows["pictures"]])
    with torch.no_grad():
        first, second = model(**alone).logits, model(**mixed).logits
    length = alone["input_ids"].shape[1]
    torch.testing.assert_close(first[0], second[0, :length], rtol=1e-4, atol=1e-4)


def test_frozen_towers_and_text_alone_leave_only_the_decoder_to_train(tmp_path):
    model, processor = two_tower_model()
    freeze(model, ["vision_tower", "vocabulary"])
    trained(model, processor, [TEXT], tmp_path, gradient_checkpointing=True)
    assert all(parameter.grad is None for name, parameter in model.named_parameters() if "tower" in name)
