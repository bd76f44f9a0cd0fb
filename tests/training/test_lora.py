"""LoRA through peft: only the adapter moves, and it comes back from its folder."""

import pytest
import torch
from peft import LoraConfig, PeftModel
from small_stages import tiny_model

from nanovlms_hf.data.world import world_dataset
from nanovlms_hf.training.arguments import StageArguments
from nanovlms_hf.training.trainer import NanoVLMsSFTTrainer, SupervisedCollator

ADAPTED = r".*language_model.*\.(q_proj|v_proj)"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of an adapter trained for two steps, the trained model and its processor."""
    folder = tmp_path_factory.mktemp("lora")
    model, processor = tiny_model()
    trainer = NanoVLMsSFTTrainer(
        model=model,
        args=StageArguments(
            output_dir=str(folder),
            per_device_train_batch_size=4,
            max_steps=2,
            learning_rate=1e-2,
            lr_scheduler_type="constant",
            save_strategy="no",
            use_cpu=True,
            disable_tqdm=True,
        ),
        train_dataset=world_dataset("train", 8, image_size=64),
        processing_class=processor,
        data_collator=SupervisedCollator(processor, assistant_only_loss=True),
        peft_config=LoraConfig(r=4, target_modules=ADAPTED),
    )
    trainer.train()
    trainer.save_model()
    return folder, trainer.model, processor


def test_only_the_adapter_moves(trained):
    _, model, _ = trained
    start = tiny_model()[0].state_dict()
    kept = {name.replace(".base_layer", ""): value for name, value in model.get_base_model().state_dict().items()}
    adapters = {name: value for name, value in kept.items() if "lora_" in name}
    assert set(kept) - set(adapters) == set(start)
    assert all(torch.equal(value, kept[name]) for name, value in start.items())
    layers = model.config.text_config.num_hidden_layers
    assert len(adapters) == 4 * layers and all("language_model" in name for name in adapters)
    assert all(value.any() for value in adapters.values())  # the second matrix of each pair starts at zero


@torch.no_grad()
def test_a_saved_adapter_gives_the_same_bits(trained):
    folder, model, processor = trained
    files = {path.name for path in folder.iterdir()}
    assert "adapter_model.safetensors" in files and "model.safetensors" not in files
    batch = SupervisedCollator(processor, assistant_only_loss=True)(
        list(world_dataset("validation", 2, image_size=64))
    )
    fresh = tiny_model()[0].eval()
    before = fresh(**batch).logits
    again = PeftModel.from_pretrained(fresh, folder).eval()
    wanted = model.eval()(**batch).logits
    assert torch.equal(again(**batch).logits, wanted)
    assert not torch.allclose(before, wanted)
    merged = again.merge_and_unload()
    torch.testing.assert_close(merged(**batch).logits, wanted, rtol=1e-4, atol=1e-4)
