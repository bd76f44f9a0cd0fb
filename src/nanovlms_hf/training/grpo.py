"""The GRPO stage: prompts about pictures and rewards in, a model whose answers earn more out.

Group Relative Policy Optimization (arXiv 2402.03300) through TRL's `GRPOTrainer`: the model answers each prompt several times,
and answers better than their group's mean become likelier. `recipes/grpo.py` calls `main`; docs/rewards.md tells of rewards.
"""

import json
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import set_seed
from transformers.utils import logging
from trl import GRPOConfig, GRPOTrainer

from ..adapter_folders import is_adapter
from ..data.prompt_tasks import PROMPT_TASKS, ChatPrompts, PromptRows, prompt_dataset
from .adapters import AdapterMixin, check_adapter_run, peft_config
from .arguments import DataArguments, ModelArguments, name_cpu_for_bf16, parse, world_config
from .building import build, check_names, describe_model
from .checked_run import train_checked
from .measuring import describe_data
from .processes import parting_together
from .pushing import PushMixin
from .reward_checks import load_rewards, reward_weights, try_rewards
from .reward_curves import draw_reward_curve
from .run_files import checkpoint_to_resume, run_summary
from .stage_data import load_data, picture_side

logger = logging.get_logger(__name__)
_ROWS_TRIED = 32  # at most; enough to meet each task of a mixture
_EACH_TASK = 2


@dataclass
class PromptArguments(DataArguments):
    """What is asked: tasks about scenes of the picture world, or the chats of real data by source entries.

    Args:
        mixture (`dict[str, float]`): for the picture world, task -> weight, of `describe`, `locate`, `detect`, `count` and
            `question` (see `data/prompt_tasks.py`); descriptions alone when not given.
        validation_rows (`int`, defaults to 128): held-out prompts that the reward is measured on while training.
        thinking (`bool`, defaults to `False`): ask for reasoning before the answer; for the reward `format`.
        sources, world, world_seed, train_rows, picture_size: as in `DataArguments`; of a chat from a source all turns but the
            last are the prompt, and the last is the `answer`.
    """

    validation_rows: int = field(default=128, metadata={"help": "Held-out prompts that the reward is measured on."})
    thinking: bool = field(default=False, metadata={"help": "Ask for reasoning before the answer."})

    def __post_init__(self):
        super().__post_init__()
        if isinstance(self.mixture, list):
            raise ValueError(
                f"mixture is a list of entries, but this stage draws tasks by weight; write mixture: {{TASK: WEIGHT}} with tasks of "
                f"{', '.join(PROMPT_TASKS)}."
            )
        if self.sources and self.mixture:
            raise ValueError(
                "sources and mixture were both given; a mixture is of tasks of the picture world, so give one of them."
            )


@dataclass
class GRPOArguments(GRPOConfig):
    """TRL's `GRPOConfig` with the family's defaults, rewards by name, and greedy evaluation.

    Args:
        rewards (`dict[str, float]`): reward -> weight; see `reward_checks.py`.
        greedy_evaluation (`bool`, defaults to `True`): in evaluation each prompt is answered once, by the likeliest words, as a
            user's would be; otherwise `num_generations_eval` answers are sampled as in training.
    """

    _VALID_DICT_FIELDS = GRPOConfig._VALID_DICT_FIELDS + ["rewards"]

    # A list too, but transformers' argument parser knows no union with one.
    rewards: dict[str, Any] | str | None = field(default=None, metadata={"help": "Reward -> weight."})
    greedy_evaluation: bool = field(default=True, metadata={"help": "Answer held-out prompts by the likeliest words."})
    learning_rate: float = field(default=1e-4, metadata={"help": "Tiny models take larger steps than TRL's 1e-6."})
    beta: float = field(default=0.02, metadata={"help": "Weight of the divergence from the starting model."})
    max_completion_length: int | None = field(default=96, metadata={"help": "Longest answer, in tokens."})
    disable_dropout: bool = field(default=True, metadata={"help": "The same words get the same probability twice."})
    gradient_checkpointing: bool = field(default=False, metadata={"help": "Tiny models have memory to spare."})
    bf16: bool | None = field(default=False, metadata={"help": "Switch on where it was measured to help."})
    report_to: None | str | list[str] = field(default="none", metadata={"help": "Trackers."})

    def __post_init__(self):
        name_cpu_for_bf16(self)
        if self.greedy_evaluation:
            self.num_generations_eval = 1
        super().__post_init__()


class NanoVLMsGRPOTrainer(AdapterMixin, PushMixin, GRPOTrainer):
    """GRPOTrainer that pushes in one commit and, with `args.greedy_evaluation`, answers held-out prompts greedily."""

    def _generate_single_turn(self, *args, **kwargs):
        if self.model.training or not self.args.greedy_evaluation:
            return super()._generate_single_turn(*args, **kwargs)
        sampling = self.generation_config
        self.generation_config = copy(sampling)
        self.generation_config.update(do_sample=False, temperature=None, top_p=None, top_k=None, min_p=None)
        try:
            return super()._generate_single_turn(*args, **kwargs)
        finally:
            self.generation_config = sampling


@parting_together
def main(argv: list[str] | None = None) -> dict:
    """Parses the arguments and runs the stage; returns the summary that is also written to `training.json`."""
    return run(*parse((ModelArguments, PromptArguments, GRPOArguments), argv))


def run(model_arguments: ModelArguments, prompt_arguments: PromptArguments, arguments: GRPOArguments) -> dict:
    """Trains as the three groups of arguments say; see `main`.

    Raises:
        ValueError: before anything is written, if the arguments contradict each other, a reward cannot be loaded or fails on
            the first rows, or the model cannot take the prompts; later, if a reward fails on what the model says.
    """
    check_names(model_arguments)
    weights = reward_weights(arguments.rewards)
    check_settings(model_arguments, arguments)
    check_adapter_run(model_arguments, arguments)
    rewards = load_rewards(weights)
    checkpoint = checkpoint_to_resume(arguments)
    train, validation = load_prompts(prompt_arguments, picture_side(model_arguments))
    tried = rows_to_try(train)
    try_rewards(rewards, tried)
    set_seed(arguments.seed)
    base_folder = Path(arguments.output_dir) / "base" if model_arguments.use_peft else None
    model, processor = build(model_arguments, list, base_folder=base_folder)
    check_model(model, processor, tried, arguments)
    arguments.reward_weights = list(weights.values())
    trainer = NanoVLMsGRPOTrainer(
        model=model,
        reward_funcs=list(rewards),
        args=arguments,
        train_dataset=train,
        eval_dataset=validation,
        processing_class=processor,
        peft_config=peft_config(model_arguments, model),
    )
    logger.warning(describe_model(trainer.model))
    seconds, first_step = train_checked(trainer, processor, checkpoint, model_arguments.freeze)
    data = _described(prompt_arguments, len(train), len(validation) if validation is not None else 0)
    summary = finish(trainer, processor, weights, seconds, first_step, data)
    if arguments.push_to_hub:
        trainer.push_to_hub()
    return summary


def check_settings(model_arguments: ModelArguments, arguments: GRPOArguments) -> None:
    """Raises ValueError for settings that this stage cannot have."""
    if not model_arguments.model_name_or_path:
        raise ValueError(
            "the recipe names no finished model; give model_name_or_path: rewards sharpen what a model already says, and one "
            "with random weights says nothing that could earn any."
        )
    _check_reference(model_arguments, arguments)
    if arguments.reward_weights is not None:
        raise ValueError("reward_weights is given; write the weights into rewards instead: {NAME: WEIGHT}.")


def _check_reference(model_arguments: ModelArguments, arguments: GRPOArguments) -> None:
    """Raises ValueError if the model that training starts from is not the one that TRL reads as the reference, by its name."""
    if not arguments.beta or model_arguments.use_peft:  # no reference, or the model with its adapter off
        return
    parts = [name for name in ("vision_tower", "vocabulary") if getattr(model_arguments, name)]
    if parts:
        changed = f"{parts[0]}={getattr(model_arguments, parts[0])!r} is swapped into the model"
    elif is_adapter(model_arguments.model_name_or_path):
        changed = (
            f"model_name_or_path={model_arguments.model_name_or_path!r} is an adapter, which is merged into its base"
        )
    else:
        return
    raise ValueError(
        f"{changed}, but with beta={arguments.beta} the model is held close to what TRL reads from its folder, which lacks that; save "
        "the changed model first (`nanovlms merge` for an adapter), set beta: 0, or set use_peft: true."
    )


def load_prompts(arguments: PromptArguments, image_size: int) -> tuple[Dataset, Dataset | None]:
    """Training and held-out prompts.

    Args:
        arguments (`PromptArguments`): what to ask.
        image_size (`int`): the model's picture size, for drawn pictures.

    Raises:
        ValueError: if the picture world is asked for without `train_rows`, or a task or a source is wrong.
    """
    if arguments.sources:
        train, held_out = load_data(arguments, image_size)
        return _asked(train, arguments), _asked(held_out, arguments) if held_out is not None else None
    if not arguments.train_rows:
        raise ValueError("train_rows is not set, but the picture world is endless; say how many prompts to train on.")

    def drawn(split: str, length: int) -> Dataset:
        rows = PromptRows(
            arguments.world_seed,
            split,
            arguments.picture_size or image_size,
            arguments.mixture or {"describe": 1.0},
            world_config(arguments.world),
            arguments.thinking,
        )
        return prompt_dataset(rows, length)

    validation = drawn("validation", arguments.validation_rows) if arguments.validation_rows else None
    return drawn("train", arguments.train_rows), validation


def _asked(chats: Dataset, arguments: PromptArguments) -> Dataset:
    return prompt_dataset(ChatPrompts(chats, arguments.thinking), len(chats))


def rows_to_try(rows: Dataset) -> list[dict]:
    """The first rows of each task, two of each, among the first ones."""
    chosen: dict[str, list[dict]] = {}
    for number in range(min(len(rows), _ROWS_TRIED)):
        row = rows[number]
        of_task = chosen.setdefault(row["task"], [])
        if len(of_task) < _EACH_TASK:
            of_task.append(row)
    return [row for of_task in chosen.values() for row in of_task]


def check_model(model, processor, rows: Sequence[dict], arguments: GRPOArguments) -> None:
    """Raises ValueError for a model that TRL's trainer cannot train so, or whose context is too short for prompt and answer."""
    if getattr(model.config, "vocabulary_config", None) is not None:
        raise ValueError(
            "the model has a vision vocabulary, a second view of each picture, but TRL's GRPOTrainer hands a model one view "
            "(pixel_values) alone; train a model with one tower by rewards."
        )
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    taken = max(_prompt_tokens(processor, row) for row in rows)
    if context and taken + arguments.max_completion_length > context:
        raise ValueError(
            f"a prompt takes {taken} tokens with its pictures and max_completion_length is {arguments.max_completion_length}, but "
            f"the decoder's context is {context}; lower max_completion_length."
        )


def _prompt_tokens(processor, row: dict) -> int:
    text = processor.apply_chat_template(row["prompt"], add_generation_prompt=True, tokenize=False)
    words = processor.tokenizer(text.replace(processor.image_token, ""))["input_ids"]
    return len(words) + len(row["images"]) * processor.image_seq_length


def prompts_answered(trainer: GRPOTrainer, step: int) -> int:
    """Prompts that were answered up to an optimizer step, all processes together, repeats of later epochs included."""
    arguments = trainer.args
    passes = arguments.steps_per_generation * arguments.num_iterations  # forward passes that one generation lasts for
    generations = -(-step * arguments.gradient_accumulation_steps // passes)
    return generations * arguments.generation_batch_size // arguments.num_generations


def finish(
    trainer: NanoVLMsGRPOTrainer, processor, weights: dict[str, float], seconds: float, first_step: int, data: dict
) -> dict:
    """Saves model and processor, `training.json` and `reward_curve.png` to `output_dir`.

    There is no loss curve: the loss of GRPO is near zero by construction, and says nothing of how well it goes.

    Args:
        weights (`dict[str, float]`): reward -> weight.
        trainer, processor, seconds, first_step, data: as in `run_files.write_run_files`.

    Returns:
        `dict`: what stands in `training.json`.
    """
    trainer.save_model(trainer.args.output_dir, _internal_call=True)
    history = trainer.state.log_history
    answered = prompts_answered(trainer, trainer.state.global_step)
    fresh = answered - prompts_answered(trainer, first_step)
    earned = [row["reward"] for row in history if "reward" in row]
    held_out = [row["eval_reward"] for row in history if "eval_reward" in row]
    summary = run_summary(trainer, seconds, first_step, data) | {
        "images_seen": answered,
        "images_per_second": round(fresh / seconds, 2) if seconds else None,
        "answers_sampled": answered * trainer.args.num_generations,
        "num_generations": trainer.args.num_generations,
        "temperature": trainer.args.temperature,
        "beta": trainer.args.beta,
        "rewards": weights,
        "first_reward": earned[0] if earned else None,
        "final_reward": earned[-1] if earned else None,
        "first_held_out_reward": held_out[0] if held_out else None,
        "final_held_out_reward": held_out[-1] if held_out else None,
        "held_out_answers": "greedy" if trainer.args.greedy_evaluation else "sampled",
        "reward_history": [_of_rewards(row) for row in history if "reward" in row or "eval_reward" in row],
    }
    if trainer.is_world_process_zero():
        folder = Path(trainer.args.output_dir)
        processor.save_pretrained(folder)
        (folder / "training.json").write_text(json.dumps(summary, indent=1))
        draw_reward_curve(history, folder / "reward_curve.png")
    return summary


def _of_rewards(row: dict) -> dict:
    """What a row of the history tells of rewards and answers; the losses stand in `loss_history`."""
    told = ("step", "reward", "kl", "entropy", "completions/mean_length", "completions/clipped_ratio")
    kept = {*told, *(f"eval_{name}" for name in told)}
    return {key: value for key, value in row.items() if key in kept or "rewards/" in key}


def _described(arguments: PromptArguments, train_rows: int, validation_rows: int) -> dict:
    told = describe_data(arguments, train_rows, validation_rows)
    if not arguments.sources:
        told["mixture"] = arguments.mixture or {"describe": 1.0}
    return told


__all__ = [
    "GRPOArguments",
    "NanoVLMsGRPOTrainer",
    "PromptArguments",
    "check_model",
    "check_settings",
    "finish",
    "load_prompts",
    "main",
    "prompts_answered",
    "rows_to_try",
    "run",
]
