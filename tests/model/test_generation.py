"""Generation: every search and cache that transformers offers answers as the plain one does."""

import pytest
import torch
from small_models import END, build_inputs, build_model
from transformers import DynamicCache

STEPS = {"max_new_tokens": 6, "do_sample": False}


def row_of(inputs, pictures, index) -> dict:
    start = sum(pictures[:index])
    row = {name: inputs[name][index : index + 1] for name in ("input_ids", "attention_mask")}
    if pictures[index]:
        row["pixel_values"] = inputs["pixel_values"][start : start + pictures[index]]
    return row


def test_greedy_equals_repeated_forward(model):
    inputs = build_inputs(model, (1, 2))
    out = model.generate(**inputs, **STEPS)
    ids = inputs["input_ids"]
    with torch.no_grad():
        for _ in range(6):
            logits = model(input_ids=ids, pixel_values=inputs["pixel_values"]).logits
            ids = torch.cat([ids, logits[:, -1:].argmax(-1)], dim=1)
    assert out.tolist() == ids.tolist()


@pytest.mark.parametrize("pictures", [(0, 1, 2), (2, 1, 0)])
def test_a_mixed_batch_equals_its_rows(model, pictures):
    inputs = build_inputs(model, pictures)
    out = model.generate(**inputs, **STEPS)
    for index in range(3):
        assert model.generate(**row_of(inputs, pictures, index), **STEPS)[0].tolist() == out[index].tolist()


@pytest.mark.parametrize("pictures", [(0, 2, 1), (2, 1, 2)])
def test_beam_search_with_different_picture_counts_equals_its_rows(model, pictures):
    inputs = build_inputs(model, pictures)
    beams = STEPS | {"num_beams": 3}
    out = model.generate(**inputs, **beams)
    for index in range(3):
        assert model.generate(**row_of(inputs, pictures, index), **beams)[0].tolist() == out[index].tolist()


def test_return_sequences(model):
    inputs = build_inputs(model, (2, 1))
    beams = model.generate(**inputs, **STEPS, num_beams=3, num_return_sequences=2)
    assert beams.shape == (4, inputs["input_ids"].shape[1] + 6)
    assert beams[0].tolist() == model.generate(**inputs, **STEPS, num_beams=3)[0].tolist()
    torch.manual_seed(0)
    sampled = model.generate(**inputs, max_new_tokens=6, do_sample=True, top_k=1, num_return_sequences=2)
    greedy = model.generate(**inputs, **STEPS)
    assert sampled.tolist() == greedy.repeat_interleave(2, dim=0).tolist()


@pytest.mark.parametrize("composition", ["paper", "modern"])
def test_assisted_and_lookup_decoding_equal_greedy(composition):
    model = build_model(composition)
    inputs = build_inputs(model, (2,))
    greedy = model.generate(**inputs, **STEPS)
    assert model.generate(**inputs, **STEPS, assistant_model=build_model(composition)).tolist() == greedy.tolist()
    assert model.generate(**inputs, **STEPS, prompt_lookup_num_tokens=2).tolist() == greedy.tolist()


def test_generation_from_embeddings_equals_ids(model):
    inputs = build_inputs(model, (1, 2))
    greedy = model.generate(**inputs, **STEPS)
    length = inputs["input_ids"].shape[1]
    embeddings = model.get_input_embeddings()(inputs["input_ids"])
    both = model.generate(**inputs, inputs_embeds=embeddings, **STEPS)
    assert both[:, length:].tolist() == greedy[:, length:].tolist()
    del inputs["input_ids"]
    alone = model.generate(**inputs, inputs_embeds=embeddings, **STEPS)
    assert alone.tolist() == greedy[:, length:].tolist()


def test_static_cache_equals_dynamic(model):
    inputs = build_inputs(model, (1, 2))
    greedy = model.generate(**inputs, **STEPS)
    static = model.generate(**inputs, **STEPS, cache_implementation="static", disable_compile=True)
    assert static.tolist() == greedy.tolist()
    assert model.generate(**inputs, **STEPS, use_cache=False).tolist() == greedy.tolist()


def test_left_padding_equals_the_row_alone(model):
    inputs = build_inputs(model, (1,))
    alone = model.generate(**inputs, **STEPS)[0, inputs["input_ids"].shape[1] :]
    padding = torch.zeros((1, 4), dtype=torch.long)
    padded = model.generate(
        input_ids=torch.cat([padding, inputs["input_ids"]], dim=1),
        attention_mask=torch.cat([padding, inputs["attention_mask"]], dim=1),
        pixel_values=inputs["pixel_values"],
        **STEPS,
    )
    assert padded[0, -6:].tolist() == alone.tolist()


def test_continuing_from_a_cache_equals_one_run(model):
    inputs = build_inputs(model, (1, 1))
    whole = model.generate(**inputs, **STEPS)
    first = model.generate(**inputs, max_new_tokens=3, do_sample=False, return_dict_in_generate=True)
    rest = model.generate(
        input_ids=first.sequences,
        attention_mask=torch.ones_like(first.sequences),
        past_key_values=first.past_key_values,
        max_new_tokens=3,
        do_sample=False,
    )
    assert rest.tolist() == whole.tolist()


def test_encoded_pictures_can_be_handed_to_generate(model):
    inputs = build_inputs(model, (1, 2))
    greedy = model.generate(**inputs, **STEPS)
    with torch.no_grad():
        encoded = model.get_image_features(inputs.pop("pixel_values"))
    assert model.generate(**inputs, **STEPS, mm_encoder_outputs={"image": encoded}).tolist() == greedy.tolist()


def test_scores_and_attentions_of_generate(model):
    model.set_attn_implementation("eager")
    inputs = build_inputs(model, (1, 1))
    out = model.generate(
        **inputs,
        max_new_tokens=3,
        do_sample=False,
        return_dict_in_generate=True,
        output_attentions=True,
        output_hidden_states=True,
        output_logits=True,
    )
    tokens = inputs["input_ids"].shape[1]
    assert isinstance(out.past_key_values, DynamicCache)
    assert [logits.shape for logits in out.logits] == [(2, model.config.text_config.vocab_size)] * 3
    assert [step[0].shape for step in out.attentions] == [
        (2, 4, tokens, tokens),
        (2, 4, 1, tokens + 1),
        (2, 4, 1, tokens + 2),
    ]
    assert [step[-1].shape for step in out.hidden_states] == [(2, tokens, 32), (2, 1, 32), (2, 1, 32)]


def test_pictures_are_encoded_once(model):
    inputs = build_inputs(model, (1, 1))
    calls = []
    model.model.vision_tower.register_forward_hook(lambda *_: calls.append(1))
    model.generate(**inputs, **STEPS, num_beams=2)
    assert calls == [1]


def test_text_only_prompts_and_stray_placeholders_generate(model):
    inputs = build_inputs(model, (1, 1))
    del inputs["pixel_values"]
    assert model.generate(**inputs, **STEPS).shape == (2, inputs["input_ids"].shape[1] + 6)


def test_generation_stops_at_the_end_token():
    model = build_model("patches")
    with torch.no_grad():
        model.lm_head.weight.zero_()
        model.lm_head.weight[END] = 0.0
    model.generation_config.eos_token_id = 0  # all logits are equal, so that token 0 wins
    inputs = build_inputs(model, (1,))
    assert model.generate(**inputs, max_new_tokens=6, do_sample=False).shape[1] == inputs["input_ids"].shape[1] + 1


@pytest.mark.slow
def test_a_compiled_decode_equals_eager():
    model = build_model("modern")
    inputs = build_inputs(model, (1,))
    greedy = model.generate(**inputs, **STEPS)
    model.forward = torch.compile(model.forward, backend="eager")
    assert (
        model.generate(**inputs, **STEPS, cache_implementation="static", disable_compile=True).tolist()
        == greedy.tolist()
    )
    torch._dynamo.reset()
