"""Asking a model about pictures, and the wiring of the scores and their controls."""

import pytest
import torch
from PIL import Image
from small_models import build_model, picture

from nanovlms_hf.data.descriptions import short_description
from nanovlms_hf.data.drawing import render
from nanovlms_hf.data.facts import score_facts
from nanovlms_hf.data.scenes import WorldConfig
from nanovlms_hf.data.world import world_scene
from nanovlms_hf.evaluation import fact_scores
from nanovlms_hf.evaluation.describing import describe_pictures
from nanovlms_hf.evaluation.fact_scores import evaluate_facts

SIDE = 16


@pytest.fixture(scope="module")
def model():
    return build_model("patches")


# describe_pictures ----------------------------------------------------------------------------------------------------


def test_a_batch_says_what_each_picture_says_alone(model, processor):
    pictures = [picture(seed, 20 + seed, 12) for seed in range(5)]
    alone = [describe_pictures(model, processor, [one], max_new_tokens=8)[0] for one in pictures]
    assert len(set(alone)) > 1  # the pictures make a difference
    for batch_size in (2, 5, 32):
        assert describe_pictures(model, processor, pictures, batch_size=batch_size, max_new_tokens=8) == alone


def test_left_padding_changes_no_word(model, processor):
    prompt, longer = "a dog", "is there a red dog or a blue cat in the picture?"
    chats = [
        processor.apply_chat_template(
            [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": text}]}],
            add_generation_prompt=True,
        )
        for text in (prompt, longer)
    ]
    images = [[picture(1)], [picture(2)]]
    inputs = processor(images=images, text=chats, padding=True, padding_side="left", return_tensors="pt")
    assert (inputs["attention_mask"][0] == 0).any()
    generated = model.generate(**inputs, max_new_tokens=8, do_sample=False)[:, inputs["input_ids"].shape[1] :]
    together = [text.strip() for text in processor.batch_decode(generated, skip_special_tokens=True)]
    for text, image, said in zip((prompt, longer), images, together, strict=True):
        assert describe_pictures(model, processor, image, text, max_new_tokens=8) == [said]


def test_answers_end_where_the_model_ends_them(model, processor):
    chat = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Describe the picture."}]}]
    text = processor.apply_chat_template(chat, add_generation_prompt=True)
    inputs = processor(images=[[picture(1)]], text=[text], return_tensors="pt")
    ids = model.generate(**inputs, max_new_tokens=8, do_sample=False)[0, inputs["input_ids"].shape[1] :]
    for longest in (1, 4, 8):
        said = describe_pictures(model, processor, [picture(1)], max_new_tokens=longest)
        assert said == [processor.tokenizer.decode(ids[:longest], skip_special_tokens=True).strip()]
    # The third token ends the answer: it and what would follow are not there.
    options = {"eos_token_id": int(ids[2]), "pad_token_id": 0, "max_new_tokens": 8}
    assert ids[2] not in ids[:2]
    said = describe_pictures(model, processor, [picture(1)], **options)
    assert said == [processor.tokenizer.decode(ids[:3], skip_special_tokens=True).strip()]


def test_the_model_is_left_as_it_was(model, processor):
    assert describe_pictures(model, processor, []) == []
    for training in (True, False):
        model.train(training)
        describe_pictures(model, processor, [picture(0)], max_new_tokens=1)
        assert model.training is training
    assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()


def test_the_model_is_left_as_it_was_after_an_error(model, processor):
    model.train()
    with pytest.raises(ValueError):
        describe_pictures(model, processor, [picture(0)], "word " * 200, max_new_tokens=1, no_such_option=3)
    assert model.training
    model.eval()


# evaluate_facts -------------------------------------------------------------------------------------------------------


@pytest.fixture
def stub(model, monkeypatch):
    """Describes by a function of the picture instead of the model, and keeps what it was given."""
    calls = []

    def install(say):
        def describe(given_model, processor, pictures, prompt, *, batch_size, max_new_tokens):
            assert given_model is model
            calls.append(
                {"pictures": list(pictures), "prompt": prompt, "batch_size": batch_size, "longest": max_new_tokens}
            )
            return [say(one) for one in pictures]

        monkeypatch.setattr(fact_scores, "describe_pictures", describe)
        return calls

    return install


def truth(pictures: int, seed: int = 0, **world) -> dict[bytes, str]:
    """The true short description of each held-out picture, by its pixels."""
    scenes = [world_scene(seed, "test", index, WorldConfig(**world)) for index in range(pictures)]
    return {render(scene, SIDE).tobytes(): short_description(scene) for scene in scenes}


def test_a_model_that_sees_is_right_and_the_controls_are_not(model, stub):
    known = truth(12)
    stub(lambda one: known.get(one.tobytes(), ""))
    metrics, samples = evaluate_facts(model, None, 12)
    assert metrics["pictures"] == len(samples) == 12
    assert metrics["facts_precision"] == 1.0
    assert metrics["facts_recall"] > 0.6
    # A blank picture is known to nobody; the next picture's truth is mostly wrong.
    assert [metrics[f"facts_{name}_blank"] for name in ("precision", "recall", "f1")] == [0.0, 0.0, 0.0]
    assert metrics["facts_precision_shuffled"] < 0.5
    assert metrics["by_type"]["colour"]["precision"] == 1.0
    assert metrics["by_type_blank"]["kind"]["stated"] == 0
    assert "all" not in metrics["by_type"]


def test_a_model_that_does_not_look_scores_the_same_in_all_conditions(model, stub):
    stub(lambda one: "A red cat is next to a blue ball in the field.")
    metrics, _ = evaluate_facts(model, None, 10)
    for name in ("precision", "recall", "f1"):
        assert metrics[f"facts_{name}"] == metrics[f"facts_{name}_blank"] == metrics[f"facts_{name}_shuffled"]


def test_each_condition_gets_its_pictures(model, stub):
    calls = stub(lambda one: str(hash(one.tobytes())))
    _, samples = evaluate_facts(model, None, 4, seed=3, prompt="Say.", batch_size=7, max_new_tokens=9)
    right = [render(world_scene(3, "test", index), SIDE).tobytes() for index in range(4)]
    given = [[one.tobytes() for one in call["pictures"]] for call in calls]
    grey = Image.new("RGB", (SIDE, SIDE), (128, 128, 128)).tobytes()
    assert given == [right, [grey] * 4, right[1:] + right[:1]]
    assert [sample.picture.tobytes() for sample in samples] == right
    assert [sample.scene for sample in samples] == [world_scene(3, "test", index) for index in range(4)]
    for index, sample in enumerate(samples):
        words = {"": right[index], "_blank": grey, "_shuffled": right[(index + 1) % 4]}
        assert sample.said == {condition: str(hash(pixels)) for condition, pixels in words.items()}
    assert all((call["prompt"], call["batch_size"], call["longest"]) == ("Say.", 7, 9) for call in calls)


def test_scores_are_those_of_the_words_against_the_right_scene(model, stub):
    known = truth(6)
    stub(lambda one: known.get(one.tobytes(), "A cat."))
    metrics, samples = evaluate_facts(model, None, 6)
    for condition in ("", "_blank", "_shuffled"):
        scores = [score_facts(sample.said[condition], sample.scene) for sample in samples]
        right, wrong = (sum(len(getattr(score, name)) for score in scores) for name in ("true_positive", "false"))
        assert metrics[f"facts_precision{condition}"] == pytest.approx(right / (right + wrong), abs=1e-4)


def test_controls_can_be_left_out_and_worlds_chosen(model, stub):
    calls = stub(lambda one: "")
    metrics, samples = evaluate_facts(model, None, 3, controls=False, world=WorldConfig(settings=("beach",)))
    assert len(calls) == 1 and not any("_blank" in name or "_shuffled" in name for name in metrics)
    assert {sample.scene.setting for sample in samples} == {"beach"}


@pytest.mark.parametrize("pictures", [1, 0, -3])
def test_fewer_than_two_pictures_cannot_be_shuffled(model, pictures):
    with pytest.raises(ValueError, match=f"pictures={pictures}: the shuffled control needs at least 2"):
        evaluate_facts(model, None, pictures)
