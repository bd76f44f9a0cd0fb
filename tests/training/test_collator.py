"""The collator: exact labels, and a stop where nothing would be learned."""

import pytest
import torch
from PIL import Image
from small_stages import tiny_model

from nanovlms_hf import NanoVLMsImageProcessor, NanoVLMsProcessor
from nanovlms_hf.tokenization import train_tokenizer
from nanovlms_hf.training.arguments import StageArguments
from nanovlms_hf.training.trainer import NanoVLMsSFTTrainer, SupervisedCollator

PLACEHOLDERS = 4


@pytest.fixture(scope="module")
def collator():
    tokenizer = train_tokenizer(["a red dog and a blue cat", "what do you see?"], 290)
    image_processor = NanoVLMsImageProcessor(size={"height": 16, "width": 16})
    processor = NanoVLMsProcessor(image_processor, tokenizer, image_seq_length=PLACEHOLDERS)
    return SupervisedCollator(processor, assistant_only_loss=True)


def example(*turns: tuple[str, str], pictures: int = 1) -> dict:
    """A chat of (said, answered) turns with the pictures in its first turn."""
    messages = []
    for index, (said, answer) in enumerate(turns):
        blocks = [{"type": "image"}] * (pictures if index == 0 else 0)
        messages.append({"role": "user", "content": [*blocks, {"type": "text", "text": said}]})
        messages.append({"role": "assistant", "content": [{"type": "text", "text": answer}]})
    images = [Image.new("RGB", (20, 20), (40 * index, 90, 200)) for index in range(pictures)]
    return {"images": images, "messages": messages}


def expected_ids(tokenizer, turns, pictures: int = 1) -> tuple[list[int], list[int]]:
    """Token ids and labels of a chat, put together turn by turn without a chat template."""

    def ids(text: str) -> list[int]:
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    tokens, labels = [], []
    for index, (said, answer) in enumerate(turns):
        asked = [*ids("<|user|>"), *[3] * (PLACEHOLDERS * pictures if index == 0 else 0), *ids(said), 1]
        asked += ids("<|assistant|>")
        answered = [*ids(answer), 1]
        tokens += asked + answered
        labels += [-100] * len(asked) + answered
    return tokens, labels


BATCHES = {
    "single turn": [([("What?", "A red dog.")], 1)],
    "several turns": [([("What?", "A red dog."), ("Where?", "On a mat é 日."), ("Why?", "No.")], 1)],
    "text only": [([("What?", "A red dog.")], 0), ([("Really?", "Yes, it is.")], 0)],
    "mixed": [
        ([("What?", "A red dog.")], 1),
        ([("Say something longer than that.", "No.")], 0),
        ([("Both?", "A cat and a dog."), ("Sure?", "Yes.")], 2),
    ],
}


@pytest.mark.parametrize("rows", BATCHES.values(), ids=BATCHES)
def test_labels_are_the_assistants_words_and_nothing_else(collator, rows):
    batch = collator([example(*turns, pictures=pictures) for turns, pictures in rows])
    tokenizer = collator.processor.tokenizer
    wanted = [expected_ids(tokenizer, *row) for row in rows]
    width = max(len(tokens) for tokens, _ in wanted)
    for index, (tokens, labels) in enumerate(wanted):
        rest = width - len(tokens)
        assert batch["input_ids"][index].tolist() == tokens + [0] * rest
        assert batch["labels"][index].tolist() == labels + [-100] * rest
        assert batch["attention_mask"][index].tolist() == [1] * len(tokens) + [0] * rest
        supervised = batch["labels"][index][batch["labels"][index] != -100]
        said = "".join(answer + "<|end|>" for _, answer in rows[index][0])
        assert tokenizer.decode(supervised) == said
    pictures = sum(count for _, count in rows)
    assert ("pixel_values" in batch) == bool(pictures)
    if pictures:
        assert batch["pixel_values"].shape == (pictures, 3, 16, 16)


def test_pictures_keep_their_order(collator):
    rows = [example(("a", "b"), pictures=2), example(("a", "b"), pictures=0), example(("a", "b"))]
    pixels = collator(rows)["pixel_values"]
    alone = [
        collator.processor.image_processor([picture], return_tensors="pt")["pixel_values"][0]
        for row in rows
        for picture in row["images"]
    ]
    assert torch.equal(pixels, torch.stack(alone))


def with_placeholders(collator, count: int) -> SupervisedCollator:
    """The same collator for pictures of `count` placeholders."""
    parts = collator.processor.image_processor, collator.processor.tokenizer
    return SupervisedCollator(NanoVLMsProcessor(*parts, image_seq_length=count), assistant_only_loss=True)


def test_the_shown_example_counts_the_placeholders_of_a_picture(collator):
    with pytest.raises(ValueError, match="0 supervised tokens") as caught:
        with_placeholders(collator, 196)([example(("Is it silent?", ""), pictures=1)])
    assert "<|user|><image>x196Is it silent?<|end|><|assistant|><|end|>" in str(caught.value)
    assert "<image><image>" not in str(caught.value)


def test_an_example_longer_than_the_context_stops_with_its_beginning(collator):
    tokenizer = collator.processor.tokenizer
    words = len(collator([example(("Too long?", "Yes."), pictures=0)])["input_ids"][0])
    tokenizer.model_max_length = words + 200
    try:
        fits = with_placeholders(collator, 200)([example(("Too long?", "Yes."))])
        assert fits["input_ids"].shape == (1, words + 200)
        rows = [example(("Short?", "Yes."), pictures=0), example(("Too long?", "Yes."))]
        with pytest.raises(ValueError) as caught:
            with_placeholders(collator, 201)(rows)
    finally:
        tokenizer.model_max_length = 1024
    assert str(caught.value).startswith(
        f"an example has {words + 201} tokens with its pictures, but the decoder's context is {words + 200}. It begins: "
        "'<|user|><image>x201Too long?<|end|>"
    )


def test_an_empty_answer_stops_with_the_decoded_example(collator):
    rows = [example(("What?", "A dog.")), example(("Is it silent?", ""))]
    with pytest.raises(ValueError, match="1 of 2 examples in a batch have 0 supervised tokens") as caught:
        collator(rows)
    assert "Is it silent?<|end|><|assistant|><|end|>" in str(caught.value)


def test_one_empty_answer_among_others_is_no_reason_to_stop(collator):
    labels = collator([example(("What?", ""), ("And?", "A dog."))])["labels"]
    assert collator.processor.tokenizer.decode(labels[labels != -100]) == "<|end|>A dog.<|end|>"


def test_a_chat_without_an_assistant_stops(collator):
    row = example(("Anybody?", "x"))
    row["messages"].pop()
    with pytest.raises(ValueError, match="0 supervised tokens.*Anybody"):
        collator([row])


def test_a_template_without_a_generation_block_stops(collator):
    template = collator.processor.chat_template.replace("{% generation %}", "").replace("{% endgeneration %}", "")
    processor = NanoVLMsProcessor(
        collator.processor.image_processor, collator.processor.tokenizer, PLACEHOLDERS, chat_template=template
    )
    with pytest.raises(ValueError, match="generation"):
        SupervisedCollator(processor, assistant_only_loss=True)([example(("What?", "A dog."))])


def test_more_pictures_than_places_are_refused(collator):
    row = example(("What?", "A dog."))
    row["images"] *= 2
    with pytest.raises(ValueError, match=r"\(2\).*\(1\)"):
        collator([row])


def test_loss_of_the_trainer_is_the_loss_of_the_forward(tmp_path):
    model, processor = tiny_model()
    collator = SupervisedCollator(processor, assistant_only_loss=True)
    rows = [example(("What?", "A red dog."), ("Where?", "There.")), example(("Hm?", "Yes."), pictures=0)]
    batch = collator(rows)
    plain = model(**batch).loss
    plain.backward()
    gradients = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    model.zero_grad()
    trainer = NanoVLMsSFTTrainer(
        model=model,
        args=StageArguments(output_dir=str(tmp_path), use_cpu=True),
        train_dataset=_dataset(rows),
        processing_class=processor,
        data_collator=collator,
    )
    fused = trainer.compute_loss(trainer.model, dict(batch))
    fused.backward()
    torch.testing.assert_close(fused, plain, rtol=1e-5, atol=1e-6)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[name], rtol=1e-3, atol=1e-5, msg=name)


def _dataset(rows: list[dict]):
    from datasets import Dataset

    return Dataset.from_dict({"index": range(len(rows))}).with_transform(
        lambda batch: {key: [rows[index][key] for index in batch["index"]] for key in ("images", "messages")}
    )
