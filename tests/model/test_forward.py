"""The forward pass: what must not change the answer (cache, padding, batching, kernels, compiling) does not change it."""

import copy

import pytest
import torch
from small_models import IMAGE, PAD, VOCAB_SIZE, build_inputs, build_model

CLOSE = {"rtol": 1e-4, "atol": 1e-5}


def rows_alone(model, inputs, pictures) -> list[dict]:
    """The rows of a batch, each with its own pictures only."""
    rows, start = [], 0
    for index, count in enumerate(pictures):
        row = {name: inputs[name][index : index + 1] for name in ("input_ids", "attention_mask")}
        if count:
            row["pixel_values"] = inputs["pixel_values"][start : start + count]
        start += count
        rows.append(row)
    return rows


@torch.no_grad()
def test_cached_steps_equal_one_pass(model):
    inputs = build_inputs(model, (1, 2))
    whole = model(**inputs).logits
    head = inputs["input_ids"].shape[1] - 4
    out = model(**inputs | {name: inputs[name][:, :head] for name in ("input_ids", "attention_mask")})
    logits = [out.logits]
    for step in range(head, head + 4):
        out = model(
            input_ids=inputs["input_ids"][:, step : step + 1],
            attention_mask=inputs["attention_mask"][:, : step + 1],
            past_key_values=out.past_key_values,
        )
        logits.append(out.logits)
    torch.testing.assert_close(torch.cat(logits, dim=1), whole, **CLOSE)


@torch.no_grad()
@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_does_not_change_a_row(model, side):
    inputs = build_inputs(model, (1,))
    alone = model(**inputs).logits
    pad = torch.full((1, 5), PAD)
    parts, mask = [inputs["input_ids"], pad], [inputs["attention_mask"], torch.zeros_like(pad)]
    if side == "left":
        parts, mask = parts[::-1], mask[::-1]
    attention_mask = torch.cat(mask, dim=1)
    position_ids = (attention_mask.cumsum(-1) - 1).clamp(min=0)
    logits = model(
        input_ids=torch.cat(parts, dim=1),
        attention_mask=attention_mask,
        position_ids=position_ids,
        pixel_values=inputs["pixel_values"],
    ).logits
    torch.testing.assert_close(logits[attention_mask.bool()], alone[0], **CLOSE)


@torch.no_grad()
@pytest.mark.parametrize("pictures", [(1, 1, 1), (0, 1, 2), (2, 0, 1), (0, 0, 0)])
def test_rows_of_a_batch_equal_the_rows_alone(model, pictures):
    inputs = build_inputs(model, pictures)
    batch = model(**inputs).logits
    for row, alone in zip(batch, rows_alone(model, inputs, pictures), strict=True):
        torch.testing.assert_close(row, model(**alone).logits[0], **CLOSE)


@torch.no_grad()
def test_each_picture_matters_and_order_does_too(model):
    inputs = build_inputs(model, (2,))
    logits = model(**inputs).logits
    flipped = model(**inputs | {"pixel_values": inputs["pixel_values"].flip(0)}).logits
    assert (logits - flipped).abs().max() > 1e-3


@torch.no_grad()
def test_eager_equals_sdpa(model):
    inputs = build_inputs(model, (1, 2))
    outputs = {}
    for kernel in ("eager", "sdpa"):
        model.set_attn_implementation(kernel)
        assert model.model.vision_tower.config._attn_implementation == kernel
        outputs[kernel] = model(**inputs).logits
    torch.testing.assert_close(outputs["eager"], outputs["sdpa"], **CLOSE)


def test_gradient_checkpointing_gives_the_same_loss_and_gradients(model):
    inputs = build_inputs(model, (1, 1))
    results = []
    for checkpointing in (False, True):
        twin = copy.deepcopy(model).train()
        if checkpointing:
            twin.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
            assert twin.model.vision_tower.layers[0].gradient_checkpointing
        loss = twin(**inputs, labels=inputs["input_ids"]).loss
        loss.backward()
        results.append((loss, {name: parameter.grad for name, parameter in twin.named_parameters()}))
    torch.testing.assert_close(results[0], results[1], rtol=1e-5, atol=1e-7)


def test_every_weight_gets_a_gradient(model):
    inputs = build_inputs(model, (1, 2))
    model.train()(**inputs, labels=inputs["input_ids"]).loss.backward()
    without = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert without == []


def test_loss_follows_the_labels_and_num_items_in_batch(model):
    inputs = build_inputs(model, (1, 1))
    labels = inputs["input_ids"].masked_fill(inputs["input_ids"] == IMAGE, -100)
    out = model(**inputs, labels=labels)
    kept = labels[:, 1:] != -100
    expected = torch.nn.functional.cross_entropy(out.logits[:, :-1][kept], labels[:, 1:][kept])
    torch.testing.assert_close(out.loss, expected)
    torch.testing.assert_close(model(**inputs, labels=labels, num_items_in_batch=7).loss * 7, expected * kept.sum())


@torch.no_grad()
def test_logits_to_keep_equals_slices(model):
    inputs = build_inputs(model, (1, 1))
    whole = model(**inputs).logits
    torch.testing.assert_close(model(**inputs, logits_to_keep=3).logits, whole[:, -3:], **CLOSE)
    torch.testing.assert_close(model(**inputs, logits_to_keep=torch.tensor([0, 4])).logits, whole[:, [0, 4]], **CLOSE)
    own = torch.tensor([[0, 2], [1, 5]])
    expected = torch.stack([whole[0, [0, 2]], whole[1, [1, 5]]])
    torch.testing.assert_close(model(**inputs, logits_to_keep=own).logits, expected, **CLOSE)
    mask = torch.zeros(whole.shape[:2], dtype=torch.bool)
    mask[0, 1] = mask[1, 3] = mask[1, 4] = True
    torch.testing.assert_close(model(**inputs, logits_to_keep=mask).logits, whole[mask], **CLOSE)


@torch.no_grad()
def test_encoded_pictures_equal_raw_ones(model):
    inputs = build_inputs(model, (1, 2))
    whole = model(**inputs)
    encoded = model.get_image_features(inputs.pop("pixel_values"))
    assert encoded.pooler_output.shape == (3, model.config.image_seq_length, model.config.text_config.hidden_size)
    out = model(**inputs, mm_encoder_outputs={"image": encoded})
    torch.testing.assert_close(out.logits, whole.logits, rtol=0, atol=0)
    torch.testing.assert_close(out.image_hidden_states, whole.image_hidden_states, rtol=0, atol=0)
    encoded.pooler_output = list(encoded.pooler_output)
    torch.testing.assert_close(model(**inputs, mm_encoder_outputs={"image": encoded}).logits, whole.logits)


@torch.no_grad()
def test_embeddings_equal_ids(model):
    inputs = build_inputs(model, (1, 2))
    whole = model(**inputs).logits
    embeddings = model.get_input_embeddings()(inputs.pop("input_ids"))
    torch.testing.assert_close(model(**inputs, inputs_embeds=embeddings).logits, whole, rtol=0, atol=0)


@torch.no_grad()
def test_packed_rows_equal_the_rows_alone(model):
    pictures = (1, 0, 2)
    inputs = build_inputs(model, pictures)
    alone = [model(**row).logits[0] for row in rows_alone(model, inputs, pictures)]
    length = inputs["input_ids"].shape[1]
    packed = model(
        input_ids=inputs["input_ids"].reshape(1, -1),
        position_ids=torch.arange(length).repeat(len(pictures))[None],
        pixel_values=inputs["pixel_values"],
        use_cache=False,
    ).logits
    torch.testing.assert_close(packed[0], torch.cat(alone), **CLOSE)


@torch.no_grad()
def test_one_compiled_graph_equals_eager():
    model = build_model("modern")
    inputs = build_inputs(model, (1, 1))
    eager = model(**inputs, use_cache=False).logits
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(**inputs, use_cache=False).logits, eager, **CLOSE)
    torch._dynamo.reset()


@torch.no_grad()
@pytest.mark.slow
def test_inductor_equals_eager(model):
    inputs = build_inputs(model, (1, 1))
    eager = model(**inputs, use_cache=False).logits
    compiled = torch.compile(model, fullgraph=True)
    torch.testing.assert_close(compiled(**inputs, use_cache=False).logits, eager, **CLOSE)
    torch._dynamo.reset()


@torch.no_grad()
@pytest.mark.parametrize("composition", ["paper", "modern"])
def test_resized_embeddings_keep_old_tokens_and_ties(composition):
    model = build_model(composition)
    inputs = build_inputs(model, (1, 1))
    before = model(**inputs).logits
    model.resize_token_embeddings(VOCAB_SIZE + 7)
    assert model.config.text_config.vocab_size == model.lm_head.out_features == VOCAB_SIZE + 7
    torch.testing.assert_close(model(**inputs).logits[..., :VOCAB_SIZE], before, **CLOSE)
    tied = model.lm_head.weight is model.get_input_embeddings().weight
    assert tied == (composition == "modern")
    assert model(**inputs, labels=inputs["input_ids"]).loss.isfinite()


@torch.no_grad()
def test_hidden_states_and_attentions_have_the_usual_shapes(model):
    model.set_attn_implementation("eager")
    inputs = build_inputs(model, (1, 1))
    out = model(**inputs, output_hidden_states=True, output_attentions=True)
    batch, tokens = inputs["input_ids"].shape
    layers = model.config.text_config.num_hidden_layers
    assert [state.shape for state in out.hidden_states] == [(batch, tokens, 32)] * (layers + 1)
    assert [weights.shape for weights in out.attentions] == [(batch, 4, tokens, tokens)] * layers
    vision = model.model.vision_tower(inputs["pixel_values"], output_hidden_states=True, output_attentions=True)
    seen = model.config.vision_config.num_patches + int(model.config.vision_config.use_cls_token)
    assert len(vision.hidden_states) == 3 and vision.hidden_states[0].shape == (2, seen, 32)
    assert [weights.shape for weights in vision.attentions] == [(2, 4, seen, seen)] * 2
    as_tuple = model(**inputs, return_dict=False)
    torch.testing.assert_close(as_tuple[0], out.logits)
