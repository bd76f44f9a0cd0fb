"""Rewards: exact values for known texts, and one clear sentence for every way in which a reward can be bad."""

import math
import re
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch

from nanovlms_hf.data.descriptions import short_description
from nanovlms_hf.data.prompt_tasks import PROMPT_TASKS, THINKING, TRUTHS, ChatPrompts, PromptRows, prompt_dataset
from nanovlms_hf.data.scenes import make_scene
from nanovlms_hf.training.reward_checks import CheckedReward, load_rewards, reward_weights, try_rewards
from nanovlms_hf.training.rewards import REWARDS, answer_of, text_of

SCENE = make_scene(0, 7)


def said(*texts: str) -> list:
    return [[{"role": "assistant", "content": text}] for text in texts]


def reward(name: str, *texts: str, **columns) -> list:
    columns = {key: [value] * len(texts) for key, value in columns.items()}
    return REWARDS[name](prompts=[None] * len(texts), completions=said(*texts), **columns)


def test_a_true_description_earns_all_and_a_wrong_one_nothing():
    text = short_description(SCENE, 0)
    assert reward("facts", text, "", scene=SCENE)[1] == 0.0
    assert reward("facts", text, scene=SCENE)[0] > 0.9
    assert reward("facts_precision", text, scene=SCENE) == [1.0]


def test_parts_of_the_facts():
    kind = SCENE.groups[0].kind
    alone = f"There is a {kind}."
    assert reward("facts_precision", alone, scene=SCENE) == [1.0]
    recall = reward("facts_recall", alone, scene=SCENE)[0]
    assert recall == pytest.approx(1 / len(SCENE.facts()))
    assert reward("facts", alone, scene=SCENE)[0] == pytest.approx(2 * recall / (1 + recall))


def test_boxes_earn_their_overlap():
    box = (100, 100, 300, 300)
    assert reward("box", "[100, 100, 300, 300]", "[200, 100, 300, 300]", "nowhere", box=box) == [1.0, 0.5, 0.0]
    boxes = {"Cat": [(100, 100, 300, 300)], "Dog": [(500, 500, 600, 600)], "Boat": None}
    both = "Cat: [100, 100, 300, 300]; Dog: [500, 500, 600, 600]."
    assert reward("boxes", both, "Cat: [100, 100, 300, 300].", "", boxes=boxes) == [1.0, pytest.approx(2 / 3), 0.0]


@pytest.mark.parametrize(
    "text, earned",
    [
        ("three", 1.0),
        ("There are 3 cats.", 1.0),
        ("Three, I say: 3!", 1.0),
        ("3 or 4", 0.0),
        ("4", 0.0),
        ("13", 0.0),
        ("3.5", 0.0),
        ("many", 0.0),
        ("", 0.0),
        ("<think>one, two, three: 5</think> three", 1.0),
        ("<think>three", 0.0),
    ],
)
def test_a_count_is_right_or_wrong(text, earned):
    assert reward("count", text, count=3) == [earned]


def test_short_answers_are_compared_without_articles_and_capitals():
    assert reward("answer", "The Red.", "red", "blue", "", answer="red") == [1.0, 1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    "text, earned",
    [
        ("<think>It has ears.</think> A cat.", 1.0),
        ("  <think>\nIt has\nears.\n</think>\nA cat.  ", 1.0),
        ("<think></think> A cat.", 0.0),
        ("<think>It has ears.</think>", 0.0),
        ("It has ears. <think>So</think> a cat.", 0.0),
        ("<think>One.</think> <think>Two.</think> A cat.", 0.0),
        ("<think>It has ears. A cat.", 0.0),
        ("It has ears.</think> A cat.", 0.0),
        ("A cat.", 0.0),
        ("", 0.0),
    ],
)
def test_the_format_asks_for_reasoning_before_an_answer(text, earned):
    assert reward("format", text) == [earned]


def test_only_the_answer_is_judged():
    text = short_description(SCENE, 0)
    plain = reward("facts", text, scene=SCENE)
    assert reward("facts", f"<think>A purple whale!</think> {text}", scene=SCENE) == plain
    assert reward("facts", f"<think>{text}</think>", f"<think>{text}", scene=SCENE) == [0.0, 0.0]
    assert answer_of("a <think>b</think> c") == "c" and answer_of(" d ") == "d"
    assert text_of([{"role": "assistant", "content": [{"type": "text", "text": "e"}]}]) == "e"


@pytest.mark.parametrize("name", [name for name in REWARDS if name != "format"])
def test_a_row_without_the_truth_has_no_reward(name):
    assert REWARDS[name](prompts=[None, None], completions=said("a", "b")) == [None, None]
    assert REWARDS[name](prompts=[None], completions=said("a"), **{truth: [None] for truth in TRUTHS}) == [None]


def test_plain_texts_are_completions_too():
    assert REWARDS["count"](prompts=["how many?"], completions=["two"], count=[2]) == [1.0]


# Rows


@pytest.fixture(scope="module")
def rows() -> PromptRows:
    return PromptRows(0, "train", 64, {task: 1.0 for task in PROMPT_TASKS})


def test_every_task_has_one_truth_and_a_reference_that_earns_all_of_it(rows):
    wanted = {"describe": "facts", "locate": "box", "detect": "boxes", "count": "count", "question": "answer"}
    truth = {"describe": "scene", "locate": "box", "detect": "boxes", "count": "count", "question": "answer"}
    seen = set()
    for number in range(40):
        row = rows.row(number)
        seen.add(row["task"])
        assert [name for name in TRUTHS if row[name] is not None] == [truth[row["task"]]]
        columns = {name: row[name] for name in TRUTHS}
        (earned,) = reward(wanted[row["task"]], row["reference"], **columns)
        assert earned == 1.0 or (row["task"] == "describe" and earned > 0.6), row
        assert row["images"][0].size == (64, 64) and row["prompt"][0]["role"] == "user"
    assert seen == set(PROMPT_TASKS)


def test_a_row_is_a_function_of_seed_split_and_number(rows):
    again = PromptRows(0, "train", 64, {task: 1.0 for task in PROMPT_TASKS})
    for number in (5, 2, 5):
        one, other = rows.row(number), again.row(number)
        assert one["images"][0].tobytes() == other["images"][0].tobytes()
        assert {k: v for k, v in one.items() if k != "images"} == {k: v for k, v in other.items() if k != "images"}
    for changed in (PromptRows(1, "train", 64, {"describe": 1.0}), PromptRows(0, "test", 64, {"describe": 1.0})):
        assert changed.row(2)["scene"] != PromptRows(0, "train", 64, {"describe": 1.0}).row(2)["scene"]


def test_a_group_draws_its_picture_once(rows):
    batch = prompt_dataset(rows, 4)[[1, 1, 2]]
    assert batch["images"][0][0] is batch["images"][1][0] and batch["images"][2][0] is not batch["images"][0][0]


def test_thinking_is_asked_for():
    row = PromptRows(0, "train", 64, {"count": 1.0}, thinking=True).row(0)
    assert row["prompt"][0]["content"].endswith(f"? {THINKING}")


@pytest.mark.parametrize(
    "tasks", [{"paint": 1.0}, {"describe": 0.0}, {"describe": -1.0, "count": 2.0}, {"count": "x"}, {}]
)
def test_tasks_that_cannot_be(tasks):
    with pytest.raises(ValueError, match="the tasks are describe, locate, detect, count, question"):
        PromptRows(0, "train", 64, tasks)


def test_an_unknown_split():
    with pytest.raises(ValueError, match="split='best' is unknown; choose one of train, validation, test"):
        PromptRows(0, "best", 64, {"describe": 1.0})
    with pytest.raises(ValueError, match="give at least 1"):
        prompt_dataset(PromptRows(0, "test", 64, {"describe": 1.0}), 0)


def test_chats_become_prompts():
    blocks = [{"type": "image", "text": None}, {"type": "text", "text": "What is it?"}]
    chat = [{"role": "user", "content": blocks}, {"role": "assistant", "content": [{"type": "text", "text": "A cat"}]}]
    (row,) = [ChatPrompts([{"images": ["picture"], "messages": chat}], thinking=True).row(0)]
    assert row["prompt"][0]["content"][:2] == [{"type": "image"}, {"type": "text", "text": "What is it?"}]
    assert row["prompt"][0]["content"][2]["text"].strip() == THINKING and len(row["prompt"]) == 1
    assert row["answer"] == row["reference"] == "A cat" and row["scene"] is None
    with pytest.raises(ValueError, match="row 0 ends with a turn of 'user'"):
        ChatPrompts([{"images": [], "messages": chat[:1]}]).row(0)


# Rewards of one's own


def test_the_example_of_the_docs_is_a_reward():
    page = (Path(__file__).parents[2] / "docs" / "rewards.md").read_text()
    (example,) = re.findall(r"^```python\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    scope: dict = {}
    exec(compile(example, "docs/rewards.md", "exec"), scope)
    own = CheckedReward(scope["one_sentence"], "my_rewards.py:one_sentence")
    given = own([None] * 3, said("A cat.", "A cat. A dog.", "2"), task=["describe", "describe", "count"])
    assert given == [1.0, 0.0, None]
    named = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`.*?) \|", page, flags=re.MULTILINE))))
    assert named == {*REWARDS, *PROMPT_TASKS}


def test_weights_of_all_forms():
    assert reward_weights({"facts": 1, "format": 0.2}) == {"facts": 1.0, "format": 0.2}
    assert reward_weights("facts") == {"facts": 1.0}
    assert reward_weights(["facts", "count"]) == {"facts": 1.0, "count": 1.0}
    assert reward_weights('{"facts": 0.5}') == {"facts": 0.5}


@pytest.mark.parametrize(
    "rewards, message",
    [
        (None, "names no reward; write rewards"),
        ({}, "names no reward"),
        ({"facts": "much"}, "gives 'facts' the weight 'much'; give each reward a finite number"),
        ({"facts": math.nan}, "the weight nan"),
        ({"facts": True}, "the weight True"),
        ({"facts": 0.0}, "every reward the weight 0"),
        ('{"facts": ', "is not JSON"),
    ],
)
def test_weights_that_cannot_be(rewards, message):
    with pytest.raises(ValueError, match=message):
        reward_weights(rewards)


def test_rewards_by_module_and_by_file(tmp_path, monkeypatch):
    (tmp_path / "own_rewards_of_a_test.py").write_text(
        "def loud(completions, **columns):\n    return [1.0 for _ in completions]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    names = ("own_rewards_of_a_test:loud", f"{tmp_path}/own_rewards_of_a_test.py:loud")
    for name in names:
        (loaded,) = load_rewards({name: 1.0})
        assert loaded(prompts=[None], completions=said("x")) == [1.0] and loaded.__name__ == "loud"
    with pytest.raises(ValueError, match="names 'loud' more than once"):
        load_rewards(dict.fromkeys(names, 1.0))


def test_rewards_that_cannot_be_loaded(tmp_path):
    broken = tmp_path / "broken.py"
    broken.write_text("1 / 0\n")
    fine = tmp_path / "fine.py"
    fine.write_text("number = 3\n")
    for name, message in {
        "fact": "'fact' is unknown; choose from facts, facts_precision",
        "no_such_module_at_all:f": "importing no_such_module_at_all raised ModuleNotFoundError",
        f"{tmp_path}/absent.py:f": "there is no file",
        f"{broken}:f": "raised ZeroDivisionError: division by zero; mend that",
        f"{fine}:f": "holds no such name; name a function",
        f"{fine}:number": "holds a int of that name",
    }.items():
        with pytest.raises(ValueError, match=message) as caught:
            load_rewards({name: 1.0})
        assert "\n" not in str(caught.value)


def checked(function) -> CheckedReward:
    return CheckedReward(function, "mine:own")


def test_a_checked_reward_gives_numbers():
    values = [1, 0.5, None, np.float32(0.25), torch.tensor(2.0), True]
    given = checked(lambda prompts, completions, **columns: values)
    assert given(prompts=[None] * 6, completions=said(*"abcdef")) == [1.0, 0.5, None, 0.25, 2.0, 1.0]
    assert given.__name__ == "own"


def test_an_asynchronous_reward_is_waited_for():
    async def slow(prompts, completions, **columns):
        return [1.0 for _ in completions]

    assert checked(slow)(prompts=[None], completions=said("x")) == [1.0]


def _raises_on_b(prompts, completions, **columns):
    return [1 / (text_of(text) != "b") for text in completions]


def _raises_on_two(prompts, completions, **columns):
    return [1 / (len(completions) != 2)] * len(completions)


def _takes_no_columns(prompts, completions):
    return [1.0 for _ in completions]


@pytest.mark.parametrize(
    "function, message",
    [
        (_raises_on_b, r"'mine:own' raised ZeroDivisionError: .* on row 1 \(completion 'b'\); mend the function"),
        (_raises_on_two, "raised ZeroDivisionError: .* on a batch of 2 rows"),
        (
            _takes_no_columns,
            r"raised TypeError: .* let it take \(prompts, completions, \*\*columns\); the columns are count",
        ),
        (lambda **_: [1.0], "returned 1 values for 2 completions; return exactly one"),
        (lambda **_: None, "returned None for 2 completions; return a list"),
        (lambda **_: [1.0, math.nan], r"returned nan for row 1 \(completion 'b'\); return a finite number, or None"),
        (lambda **_: [math.inf, 1.0], "returned inf for row 0"),
        (lambda **_: [-math.inf, 1.0], "returned -inf for row 0"),
        (lambda **_: ["1.0", 1.0], "returned '1.0' for row 0"),
        (lambda **_: [1.0, [1.0]], r"returned \[1.0\] for row 1"),
        (lambda **_: [1.0, torch.tensor([1.0, 2.0])], "returned tensor.* for row 1"),
    ],
)
def test_a_bad_reward_is_one_sentence(function, message):
    with pytest.raises(ValueError, match=message) as caught:
        checked(function)(prompts=[None, None], completions=said("a", "b"), count=[1, 2])
    assert "\n" not in str(caught.value)


def test_rewards_are_tried_with_right_answers_silence_and_nonsense(rows):
    chosen = [PromptRows(0, "train", 32, {task: 1.0}).row(0) for task in ("count", "question")]
    seen = []

    def own(prompts, completions, completion_ids, trainer_state, log_extra, log_metric, **columns):
        seen.extend(map(text_of, completions))
        log_metric("length", 1.0)
        return [None for _ in completions]

    loaded = [*load_rewards({"count": 1.0, "answer": 1.0}), checked(own)]
    assert try_rewards(loaded, chosen) == [
        {"count": 1.0, "answer": None, "mine:own": None},
        {"count": None, "answer": 1.0, "mine:own": None},
    ]
    assert seen[0] == chosen[0]["reference"] and "" in seen and len(seen) == 6


def test_a_task_without_a_reward_is_named():
    rows = [PromptRows(0, "train", 32, {"count": 1.0}).row(0)]
    with pytest.raises(ValueError, match="none of the rewards facts, box applies to row 0, whose task is 'count'"):
        try_rewards(load_rewards({"facts": 1.0, "box": 1.0}), rows)


def test_every_description_of_a_fixed_stretch_is_true():
    scenes = [make_scene(3, number) for number in range(20)]
    texts = [short_description(scene, Random(number)) for number, scene in enumerate(scenes)]
    completions = said(*texts)
    assert REWARDS["facts_precision"](prompts=texts, completions=completions, scene=scenes) == [1.0] * 20
