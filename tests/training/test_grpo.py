"""The GRPO stage on a small model: what moves and what does not, what it leaves, and what stops it before it writes."""

import json
from functools import cache
from pathlib import Path

import pytest
import torch
from small_stages import flags, tiny_model

from nanovlms_hf import NanoVLMsForConditionalGeneration, NanoVLMsProcessor
from nanovlms_hf.training import grpo
from nanovlms_hf.training.arguments import ModelArguments, parse
from nanovlms_hf.training.building import component_of

GRPO = {
    "train_rows": 16,
    "validation_rows": 2,
    "max_steps": 2,
    "per_device_train_batch_size": 4,
    "per_device_eval_batch_size": 2,
    "num_generations": 2,
    "max_completion_length": 8,
    "learning_rate": 1e-3,
    "lr_scheduler_type": "constant",
    "logging_steps": 1,
    "eval_strategy": "steps",
    "eval_steps": 2,
    "save_strategy": "no",
    "disable_tqdm": True,
    "dataloader_pin_memory": False,
    "use_cpu": True,
    "seed": 3,
}
OWN = """
def length(prompts, completions, **columns):
    return [float(len(completion[0]["content"])) for completion in completions]

def after_the_trial(prompts, completions, trainer_state, **columns):
    return [float("nan") if trainer_state.max_steps else 1.0 for _ in completions]

def nothing(prompts, completions, **columns):
    return [None for _ in completions]

def broken(prompts, completions, **columns):
    raise KeyError("colour")
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with a saved model of random weights and rewards of one's own."""
    folder = tmp_path_factory.mktemp("grpo")
    for part in tiny_model():
        part.save_pretrained(folder / "start")
    (folder / "own.py").write_text(OWN)
    return folder


def run(place: Path, output: str, reward: str = "length", **changes) -> dict:
    rewards = changes.pop("rewards", json.dumps({f"{place}/own.py:{reward}": 1.0}))
    start = {"model_name_or_path": place / "start", "rewards": rewards}
    return grpo.main(flags(GRPO | start, place / output, **changes))


@pytest.fixture(scope="module")
def finished(place) -> dict:
    """The summary of one run of two steps with a frozen tower, in the folder `once`."""
    return run(place, "once", freeze="vision_tower")


@cache
def weights(folder: Path) -> dict[str, torch.Tensor]:
    return NanoVLMsForConditionalGeneration.from_pretrained(folder, dtype="float32").state_dict()


def test_only_what_should_move_moves(place, finished):
    before, after = weights(place / "start"), weights(place / "once")
    assert before.keys() == after.keys()
    for name, value in before.items():
        assert torch.equal(value, after[name]) == (component_of(name) == "vision_tower"), name


def test_what_the_stage_leaves(place, finished):
    files = {path.name for path in (place / "once").iterdir()}
    assert {"model.safetensors", "processor_config.json", "training.json", "reward_curve.png"} <= files
    assert not any(name.endswith(".bin") and name != "training_args.bin" for name in files)
    assert json.loads((place / "once" / "training.json").read_text()) == finished
    NanoVLMsProcessor.from_pretrained(place / "once")
    # 2 steps of 4 answers, 2 to each prompt
    assert (finished["images_seen"], finished["answers_sampled"], finished["optimizer_steps"]) == (4, 8, 2)
    assert finished["rewards"] == {f"{place}/own.py:length": 1.0} and finished["data"]["mixture"] == {"describe": 1.0}
    history = finished["reward_history"]
    assert [row["step"] for row in history] == [1, 2, 2] and history[-1]["eval_rewards/length/mean"] > 0
    assert finished["final_held_out_reward"] == history[-1]["eval_reward"] and finished["held_out_answers"] == "greedy"


def test_the_same_seed_gives_the_same_weights(place, finished):
    again = run(place, "again", freeze="vision_tower")
    assert [row["reward"] for row in again["reward_history"][:2]] == [
        row["reward"] for row in finished["reward_history"][:2]
    ]
    first, second = weights(place / "once"), weights(place / "again")
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    run(place, "other", freeze="vision_tower", seed=4)
    assert not torch.equal(first["lm_head.weight"], weights(place / "other")["lm_head.weight"])


def test_greedy_answers_do_not_depend_on_the_seed(place, finished):
    def first_evaluation(output, **changes):
        history = run(place, output, max_steps=1, eval_on_start=True, eval_strategy="no", **changes)["reward_history"]
        return next(row["eval_reward"] for row in history if "eval_reward" in row)

    assert first_evaluation("greedy3") == first_evaluation("greedy4", seed=4)
    sampled = {"greedy_evaluation": False, "num_generations_eval": 2}
    assert first_evaluation("sampled3", **sampled) != first_evaluation("sampled4", seed=4, **sampled)


def test_a_killed_run_goes_on(place, finished):
    saving = {"freeze": "vision_tower", "save_strategy": "steps", "save_steps": 1}
    run(place, "killed", **saving)
    whole = weights(place / "killed")
    resumed = run(place, "resumed", **saving, resume_from_checkpoint=place / "killed" / "checkpoint-1")
    assert resumed["resumed_at_step"] == 1 and resumed["optimizer_steps"] == 2
    assert all(torch.equal(value, weights(place / "resumed")[name]) for name, value in whole.items())


def test_an_adapter_moves_alone_and_is_no_reference_unless_merged(place):
    summary = run(place, "adapter", use_peft=True, lora_r=4)
    files = {path.name for path in (place / "adapter").iterdir()}
    assert "adapter_model.safetensors" in files and "model.safetensors" not in files
    assert 0 < summary["parameters"]["trainable"] < 0.2 * summary["parameters"]["total"]
    with pytest.raises(ValueError, match="is an adapter, which is merged into its base, but with beta=0.02"):
        run(place, "never", model_name_or_path=place / "adapter")
    assert not (place / "never").exists()


def test_sources_and_every_task_can_be_asked_about(place):
    rewards = json.dumps({"facts": 1.0, "box": 1.0, "boxes": 1.0, "count": 0.5, "answer": 0.5, "format": 0.2})
    tasks = json.dumps({"describe": 1.0, "locate": 1.0, "detect": 1.0, "count": 1.0, "question": 1.0})
    summary = run(place, "tasks", rewards=rewards, mixture=tasks, thinking=True, max_steps=1, eval_strategy="no")
    assert summary["rewards"]["format"] == 0.2 and summary["final_reward"] == 0.0


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"reward": "broken"}, "'.*own.py:broken' raised KeyError: 'colour' on row 0"),
        ({"reward": "nothing"}, "none of the rewards .*own.py:nothing applies to row 0, whose task is 'describe'"),
        ({"reward": "absent"}, "holds no such name"),
        ({"rewards": "fact"}, "the reward 'fact' is unknown"),
        ({"rewards": None}, "names no reward"),
        ({"rewards": "box"}, "none of the rewards box applies"),
        ({"reward_weights": 1.0}, "reward_weights is given; write the weights into rewards"),
        ({"train_rows": None}, "train_rows is not set"),
        ({"mixture": '{"paint": 1.0}'}, "the tasks are describe, locate"),
        ({"mixture": "[]"}, "mixture is a list of entries"),
        ({"max_completion_length": 100_000}, "the decoder's context is 512|the decoder's context is"),
        ({"freeze": "tower"}, "names no component"),
        ({"model_name_or_path": None, "preset": "nanovlm-tiny"}, "names no finished model"),
        ({"model_name_or_path": "no/where/at/all"}, "model_name_or_path"),
        ({"vision_tower": "START"}, "vision_tower=.* is swapped into the model, but with beta=0.02"),
    ],
)
def test_what_cannot_be_stops_before_anything_is_written(place, changes, message):
    changes = {name: place / "start" if value == "START" else value for name, value in changes.items()}
    with pytest.raises(ValueError, match=message) as caught:
        run(place, "never", **changes)
    assert "\n" not in str(caught.value)
    assert not (place / "never").exists()


def test_a_reward_that_goes_wrong_while_training_stops_it(place):
    with pytest.raises(
        ValueError, match=r"after_the_trial' returned nan for row 0 \(completion .*\); return a finite number"
    ):
        run(place, "stopped", "after_the_trial")
    assert not (place / "stopped" / "model.safetensors").exists()


def test_a_model_with_two_views_is_refused(place):
    model, processor = tiny_model()
    model.config.vocabulary_config = model.config.vision_config
    with pytest.raises(ValueError, match="TRL's GRPOTrainer hands a model one view"):
        grpo.check_model(model, processor, [], grpo.GRPOArguments(output_dir="x", use_cpu=True))


def test_prompts_are_counted_over_generations(place):
    class Trainer:
        args = grpo.GRPOArguments(
            output_dir="x",
            use_cpu=True,
            num_generations=4,
            per_device_train_batch_size=4,
            gradient_accumulation_steps=2,
            steps_per_generation=4,
            num_iterations=2,
        )

    # one generation of 16 answers, 4 prompts, lasts 8 passes: 4 steps
    assert [grpo.prompts_answered(Trainer, step) for step in (0, 1, 4, 5, 8)] == [0, 4, 4, 8, 8]


def test_the_family_defaults():
    names = (ModelArguments, grpo.PromptArguments, grpo.GRPOArguments)
    _, prompts, arguments = parse(names, ["--output_dir", "x", "--use_cpu", "true", "--rewards", "facts"])
    assert prompts.validation_rows == 128 and not prompts.thinking
    assert arguments.num_generations_eval == 1 and arguments.beta == 0.02 and not arguments.bf16
