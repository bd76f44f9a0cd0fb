"""Small trainings with the real trainers, for predictions to be held against."""

from copy import deepcopy

import torch
from datasets import Dataset
from live_tensors import measure
from peft import LoraConfig
from small_models import picture
from small_stages import tiny_model
from trl import DPOConfig, DPOTrainer

from nanovlms_hf import NanoVLMsForConditionalGeneration
from nanovlms_hf.data.scenes import WorldConfig
from nanovlms_hf.data.world import world_dataset
from nanovlms_hf.image_processing_nanovlms import NanoVLMsImageProcessor
from nanovlms_hf.planning.workload import Workload
from nanovlms_hf.presets import preset_config
from nanovlms_hf.training.arguments import ModelArguments, StageArguments
from nanovlms_hf.training.building import build
from nanovlms_hf.training.low_bits import LowBitArguments, quantization_config
from nanovlms_hf.training.tower import DensePretrainingModel
from nanovlms_hf.training.tower_stage import DenseCollator, DenseWorld, TowerStageArguments, TowerTrainer
from nanovlms_hf.training.trainer import NanoVLMsSFTTrainer, SupervisedCollator

ADAPTER = LoraConfig(r=8, lora_dropout=0.0, target_modules=r".*language_model.*_proj")


UPDATES = 3  # of the same rows; one more than is run, so that the loader has a batch ready as it does in a long run


def _quiet(folder, batch: int) -> dict:
    return {
        "output_dir": str(folder),
        "per_device_train_batch_size": batch,
        "max_steps": 2,
        "train_sampling_strategy": "sequential",
        "save_strategy": "no",
        "use_cpu": True,
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
        "report_to": "none",
    }


def run_sft(
    folder,
    batch: int = 8,
    peft_config=None,
    preset: str = "nanovlm-tiny",
    low_bits: LowBitArguments | None = None,
    **settings,
) -> tuple[int, Workload]:
    """Two steps of NanoVLMsSFTTrainer: the measured peak, and the step as a plan describes it."""
    if preset == "nanovlm-tiny":
        model, processor = tiny_model()
        if low_bits is not None:
            model.save_pretrained(folder / "base")
            options = {"dtype": "float32", "quantization_config": quantization_config(low_bits)}
            model = NanoVLMsForConditionalGeneration.from_pretrained(folder / "base", **options)
    else:
        texts = ["A red dog runs in the garden.", "What do you see? Describe the picture."]
        model, processor = build(ModelArguments(preset=preset), lambda: texts)
    config = deepcopy(model.config)
    rows = world_dataset("train", batch, image_size=64)
    collator = SupervisedCollator(processor, assistant_only_loss=True)
    length = collator(list(rows))["input_ids"].shape[1]
    trainer = NanoVLMsSFTTrainer(
        model=model,
        args=StageArguments(**_quiet(folder, batch), **settings),
        train_dataset=rows.select(list(range(batch)) * UPDATES * settings.get("gradient_accumulation_steps", 1)),
        processing_class=processor,
        data_collator=collator,
        peft_config=peft_config,
    )
    return measure(trainer.train, trainer.model), Workload("sft", config, batch=batch, length=length, device="cpu")


def run_dpo(folder, batch: int = 6, peft_config=None, **settings) -> tuple[int, Workload]:
    """Two steps of TRL's DPOTrainer on pairs that differ in length."""
    model, processor = tiny_model()
    config = deepcopy(model.config)

    def turn(role: str, words: str) -> list[dict]:
        return [{"role": role, "content": words}]

    rows = [
        {
            "images": [picture(index, 64, 64)],
            "prompt": turn("user", "Describe the picture."),
            "chosen": turn("assistant", "A red dog runs in the garden."),
            "rejected": turn("assistant", "A blue dog runs in the garden." + " It runs." * index),
        }
        for index in range(batch)
    ]
    reference = None if peft_config else deepcopy(model)
    settings = {"gradient_checkpointing": False, "bf16": False} | settings
    trainer = DPOTrainer(
        model=model,
        ref_model=reference,
        args=DPOConfig(**_quiet(folder, batch), max_length=None, **settings),
        train_dataset=Dataset.from_list(rows * UPDATES),
        processing_class=processor,
        peft_config=peft_config,
    )
    length = trainer.data_collator([dict(row) for row in rows])["input_ids"].shape[1]
    models = [trainer.model, *([reference] if reference is not None else [])]
    return measure(trainer.train, *models), Workload("dpo", config, batch=batch, length=length, device="cpu")


def run_tower(folder, batch: int = 8) -> tuple[int, Workload]:
    """Two steps of the tower stage's trainer."""
    torch.manual_seed(0)
    config = preset_config("nanovlm-tiny")
    side = config.vision_config.image_size
    processor = NanoVLMsImageProcessor(size={"height": side, "width": side})
    grid = side // config.vision_config.patch_size
    trainer = TowerTrainer(
        model=DensePretrainingModel(config.vision_config, config.num_prefix_tokens),
        args=TowerStageArguments(**_quiet(folder, batch)),
        train_dataset=DenseWorld(
            "train", batch * UPDATES, 0.5, seed=0, world=WorldConfig(), image_size=side, grid=grid
        ),
        data_collator=DenseCollator(processor),
    )
    return measure(trainer.train, trainer.model), Workload("tower", config, batch=batch, device="cpu")


__all__ = ["ADAPTER", "run_dpo", "run_sft", "run_tower"]
