"""The heads that tell tokens what they show, and the model of stage 1."""

import pytest
import torch
from small_models import IMAGE
from test_vocabulary_stage import SAM

from nanovlms_hf import NanoVLMsConfig
from nanovlms_hf.data.marks import IGNORED
from nanovlms_hf.presets import preset_config
from nanovlms_hf.training.mark_heads import MarkHeads
from nanovlms_hf.training.reading_model import ReadingModel, word_loss
from nanovlms_hf.vocabulary import without_marks


def nothing(images: int = 1, tokens: int = 2, slots: int = 2) -> dict[str, torch.Tensor]:
    widths = {"characters": slots, "kinds": 1, "colours": 1, "hundreds": 4, "tens": 4}
    return {name: torch.full((images, tokens, width), IGNORED) for name, width in widths.items()}


def reading_model(**fields) -> ReadingModel:
    torch.manual_seed(0)
    text = {
        "model_type": "llama",
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 1,
        "vocab_size": 40,
    }
    text |= {"num_attention_heads": 2, "num_key_value_heads": 2, "pad_token_id": 0}
    vocabulary = {"model_type": "nanovlms_vocabulary", "backbone_config": {"model_type": "sam_vision_model", **SAM}}
    config = NanoVLMsConfig(
        vision_config=vocabulary | {"downsample_channels": [12, 20]}, text_config=text, connector="linear"
    )
    return ReadingModel(config, **{"slots": 2} | fields)


def batch(model: ReadingModel) -> dict[str, torch.Tensor]:
    ids = torch.tensor([[*([IMAGE] * model.config.image_seq_length), 10, 11, 12]])
    labels = ids.masked_fill(ids == IMAGE, -100)
    pixels = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    return {"input_ids": ids, "labels": labels, "pixel_values": pixels}


def test_the_loss_is_the_weighted_mean_by_hand():
    torch.manual_seed(0)
    heads, features, marks = MarkHeads(8, slots=2), torch.randn(1, 2, 8), nothing()
    marks["characters"] = torch.tensor([[[5, 0], [0, 0]]])
    marks["kinds"] = torch.tensor([[[2], [0]]])
    logits = heads["characters"](features).reshape(4, -1).log_softmax(-1)
    each = -logits[torch.arange(4), torch.tensor([5, 0, 0, 0])]
    characters = (each[0] + 0.1 * each[1:].sum()) / 1.3
    logits = heads["kinds"](features).reshape(2, -1).log_softmax(-1)
    kinds = (-logits[0, 2] - 0.1 * logits[1, 0]) / 1.1
    torch.testing.assert_close(heads.loss(features, marks), 4.0 * characters + kinds)


def test_what_has_no_marks_costs_nothing():
    heads, features = MarkHeads(8, slots=2), torch.randn(1, 2, 8, requires_grad=True)
    loss = heads.loss(features, nothing())
    loss.backward()
    assert loss.item() == 0.0 and not features.grad.any()


def test_accuracy_counts_what_is_there():
    heads, marks = MarkHeads(4, slots=1), nothing(slots=1)
    features = torch.randn(1, 2, 4)
    said = heads["kinds"](features).argmax(-1)
    marks["kinds"] = torch.where(said == 0, 1, said).unsqueeze(-1)
    marks["kinds"][0, 1] = 0  # nothing there: does not count
    assert heads.accuracy(features, marks) == {"kinds": float(said[0, 0] != 0)}


def test_marks_train_the_tower_beside_the_decoder_s_loss():
    model = reading_model(mark_weight=0.5).train()
    given, marks = batch(model), nothing(tokens=4)
    marks["kinds"] = torch.tensor([[[1], [0], [2], [0]]])
    features = model.model.vision_tower(given["pixel_values"]).last_hidden_state
    by_hand = model(**given).loss + 0.5 * 0.25 * model.mark_heads.loss(features, marks)
    by_hand.backward()
    expected = {
        name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None
    }
    model.zero_grad()
    model.mark_scale = 0.25
    outputs = model(**given, marks=marks)
    torch.testing.assert_close(outputs.loss, model(**given).loss)  # what is logged is the decoder's
    torch.testing.assert_close(model.mark_loss, 0.5 * model.mark_heads.loss(features, marks).detach())
    outputs.loss.backward()
    assert "mark_heads.kinds.weight" in expected and "model.vision_tower.downsample.0.conv.weight" in expected
    for name, parameter in model.named_parameters():
        if name in expected:
            torch.testing.assert_close(parameter.grad, expected[name], msg=name)


def test_marks_wait_for_training_mode():
    model, marks = reading_model().eval(), nothing(tokens=4)
    model(**batch(model), marks=marks)
    assert model.mark_loss is None


def test_without_weight_there_are_no_heads():
    assert reading_model(mark_weight=0.0).mark_heads is None


def test_the_plain_model_says_the_same():
    model = reading_model().eval()
    plain, given = without_marks(model), batch(model)
    assert not [name for name in plain.state_dict() if "mark_heads" in name]
    assert torch.equal(plain(**given).logits, model(**given).logits)


def test_a_tower_that_is_no_vocabulary_is_refused():
    with pytest.raises(
        ValueError, match="the model's tower is a 'nanovlms_vision'; choose a preset with a vocabulary"
    ):
        ReadingModel(preset_config("nanovlm-tiny"))


def test_the_words_loss_is_the_mean_over_squares_with_words():
    tokens = torch.tensor([[[2.0, 0.0], [0.0, 3.0], [1.0, 1.0]]])
    head = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    words = torch.tensor([[[0, IGNORED], [1, 2], [IGNORED, IGNORED]]])
    root = 2**0.5  # a token's length once its mean square is 1
    first = torch.tensor([root, 0.0, root]).log_softmax(-1)
    second = torch.tensor([0.0, root, root]).log_softmax(-1)
    by_hand = -(first[0] + (second[1] + second[2]) / 2) / 2
    torch.testing.assert_close(word_loss(tokens, words, head), by_hand)


def test_without_words_nothing_is_to_be_said():
    tokens = torch.randn(1, 2, 4, requires_grad=True)
    loss = word_loss(tokens, torch.full((1, 2, 3), IGNORED), torch.randn(5, 4))
    loss.backward()
    assert loss.item() == 0.0 and not tokens.grad.any()


def test_words_train_connector_and_head_beside_the_decoder_s_loss():
    model = reading_model(mark_weight=0.0, word_weight=0.5).train()
    given, words = batch(model), torch.tensor([[[3], [IGNORED], [7], [IGNORED]]])
    features = model.model.connector(model.model.vision_tower(given["pixel_values"]).last_hidden_state)
    by_hand = model(**given).loss + 0.5 * word_loss(features, words, model.get_output_embeddings().weight)
    by_hand.backward()
    wanted = {
        name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None
    }
    model.zero_grad()
    model(**given, words=words).loss.backward()
    for name, parameter in model.named_parameters():
        if name in wanted:
            torch.testing.assert_close(parameter.grad, wanted[name], msg=name)


def test_words_for_another_number_of_tokens():
    with pytest.raises(ValueError, match="makes 2 tokens of a picture whose 8 squares have words"):
        word_loss(torch.randn(1, 2, 4), torch.zeros(1, 8, 1, dtype=torch.int64), torch.randn(5, 4))
