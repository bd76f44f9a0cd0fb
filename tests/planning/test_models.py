"""Any image-text-to-text model can be planned, quantised and adapted."""

import pytest
import torch
from small_models import COMPOSITIONS, two_towers
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, SmolVLMConfig, SmolVLMVisionConfig

from nanovlms_hf import NanoVLMsConfig
from nanovlms_hf.planning.low_bit_layers import low_bit_bytes
from nanovlms_hf.planning.models import build_model, tokens_of_a_picture
from nanovlms_hf.planning.optimizers import check_optimizer
from nanovlms_hf.planning.predicting import predict
from nanovlms_hf.planning.workload import Lora, LowBits, Workload

TEXT = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "vocab_size": 320,
}
TOWER = {
    "image_size": 32,
    "patch_size": 8,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}


def llava() -> LlavaConfig:
    return LlavaConfig(vision_config=CLIPVisionConfig(**TOWER), text_config=LlamaConfig(**TEXT), image_token_index=300)


def smolvlm() -> SmolVLMConfig:
    return SmolVLMConfig(
        vision_config=SmolVLMVisionConfig(**TOWER),
        text_config=LlamaConfig(**TEXT, pad_token_id=0),
        image_token_id=300,
        scale_factor=2,
    )


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize(("config", "tokens"), [(llava, 16), (smolvlm, 4)])
def test_models_of_transformers(config, tokens, device):
    config = config()
    assert tokens_of_a_picture(config) == tokens
    step = Workload("sft", config, batch=2, length=tokens + 10, device=device)
    plain = predict(step)
    assert plain.parameters == plain.trained
    assert plain.components["weights"] >= 4 * plain.parameters
    assert plain.components["optimizer"] >= 8 * plain.parameters
    adapted = predict(step.with_(lora=Lora(rank=4)))
    assert 0 < adapted.trained < plain.trained and adapted.tensors < plain.tensors
    assert predict(step.with_(batch=4)).tensors > plain.tensors
    assert predict(step.with_(checkpointing=True)).components["weights"] == plain.components["weights"]


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_compositions_of_ours(name):
    step = Workload("sft", NanoVLMsConfig(**COMPOSITIONS[name]), batch=2, length=20, device="cpu")
    assert predict(step).tensors > predict(step.with_(frozen=("language_model",))).tensors > 0


def test_two_towers_and_grpo_and_dpo():
    step = Workload("sft", two_towers(), batch=2, length=20, device="cpu")
    one = predict(step)
    pairs = predict(step.with_(kind="dpo"))
    assert pairs.components["reference"] == one.components["weights"]
    assert pairs.components["inputs"] == 2 * one.components["inputs"]
    assert predict(step.with_(kind="dpo", reference=False)).components["reference"] == 0
    assert predict(step.with_(kind="grpo", generated=8)).tensors > one.tensors


def test_low_bits_hold_fewer_bytes_and_keep_the_head():
    step = Workload("sft", llava(), batch=2, length=30, lora=Lora(rank=4))
    whole, eight, four = (
        predict(step.with_(low_bits=bits)).components["weights"] for bits in (None, LowBits(8), LowBits(4))
    )
    assert four < eight < whole
    model, parameters = build_model(step.with_(low_bits=LowBits(4)))
    assert parameters == predict(step).parameters
    assert model.lm_head.weight.dtype == torch.float32
    assert not any("LowBit" in type(layer).__name__ for layer in model.model.vision_tower.modules())
    shape = torch.Size((64, 128))  # 8192 weights: 128 blocks
    assert low_bit_bytes(shape, LowBits(8)) == 8192 + 4 * 64
    assert low_bit_bytes(shape, LowBits(4, nested=False)) == 4096 + 4 * 128 + 64
    assert low_bit_bytes(shape, LowBits(4)) == 4096 + 128 + 4 + 1024 + 64


def test_attention_of_a_gpu_holds_no_table_of_weights():
    config = NanoVLMsConfig(**COMPOSITIONS["patches"])
    config.text_config.attention_dropout = 0.1
    step = Workload("sft", config, batch=2, length=120, device="cpu")
    assert predict(step.with_(device="cuda")).components["activations"] < predict(step).components["activations"] / 2


def test_refusals():
    with pytest.raises(ValueError, match="no linear layer"):
        predict(Workload("sft", llava(), batch=2, lora=Lora(targets=("towr",))))
    with pytest.raises(ValueError, match="image-text-to-text"):
        predict(Workload("sft", LlamaConfig(**TEXT), batch=2))
    with pytest.raises(ValueError, match="cannot recompute"):
        predict(Workload("tower", NanoVLMsConfig(**COMPOSITIONS["patches"]), checkpointing=True))
    with pytest.raises(ValueError, match="optim='adamw_tron'"):
        check_optimizer("adamw_tron")
