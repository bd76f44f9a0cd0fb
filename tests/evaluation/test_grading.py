"""NanoVLMs' protocol: the judge over a real loopback server, the graders without one, and what both refuse."""

import json
import re

import pytest
from loopback_api import Api, serve

from nanovlms_hf.data.descriptions import short_description
from nanovlms_hf.data.scenes import Scene
from nanovlms_hf.data.world import world_scene
from nanovlms_hf.endpoint import ChatEndpoint, EndpointConfig, EndpointError, KeyRefused
from nanovlms_hf.evaluation.graders import (
    Completion,
    grade_consistency,
    grade_grammar,
    grade_plot,
    programmatic_graders,
)
from nanovlms_hf.evaluation.grading import check_items, grade_with_judge, grade_with_rules, grades_table
from nanovlms_hf.evaluation.judge import DIMENSIONS, Written, check_grades, judge_messages, judge_texts
from nanovlms_hf.evaluation.reference_lm import ReferenceLM, train_reference_lm

GRADES = {"grammar": 7, "creativity": 3, "consistency": 9, "meaningfulness": 6, "plot": 2}
TEXTS = [Written("a", "A cat", "sits here.", "A red cat."), Written("b", "A dog", "runs.", "A dog.")]


@pytest.fixture
def api():
    with serve(Api()) as running:
        running.answer = lambda body: json.dumps(GRADES)
        yield running


def judge(api, **options):
    options = {"api_key": "sk-hidden", "timeout": 0.3, "retries": 1, "workers": 2} | options
    return ChatEndpoint(EndpointConfig(api.url, "judge-1", **options), sleep=lambda seconds: None)


def completions(count=4, text="The dog is big."):
    made = []
    for index in range(count):
        scene = world_scene(0, "test", index)
        words = short_description(scene).split()
        facts = {"seed": scene.seed, "index": scene.index}
        rest = " ".join(words[6:]) if text is None else text
        made.append(Completion(f"i{index}", " ".join(words[:6]), rest, facts, " ".join(words)))
    return made


# the judge ------------------------------------------------------------------------------------------------------------


def test_what_the_judge_is_told():
    told, untold = (judge_messages(TEXTS[0], show)[-1]["content"] for show in (True, False))
    assert "A red cat." in told and "A red cat." not in untold
    assert all(
        "A cat" in text and "sits here." in text and all(d in text for d in DIMENSIONS) for text in (told, untold)
    )
    assert "wrote nothing" in judge_messages(Written("c", "A", "", ""))[-1]["content"]


@pytest.mark.parametrize(
    "answer",
    [
        {},
        GRADES | {"extra": 1},
        {key: value for key, value in GRADES.items() if key != "plot"},
        GRADES | {"plot": 11},
        GRADES | {"plot": -1},
        GRADES | {"plot": "7"},
        GRADES | {"plot": None},
        GRADES | {"plot": True},
        GRADES | {"plot": float("nan")},
    ],
)
def test_grades_are_checked(answer):
    with pytest.raises(ValueError):
        check_grades(answer)


def test_every_text_is_graded_once_a_seed(api):
    judged = judge_texts(judge(api), TEXTS, seeds=(0, 1, 2))
    assert judged.grades == {"a": [GRADES] * 3, "b": [GRADES] * 3} and not judged.failures
    assert sorted(body["seed"] for body in api.bodies) == [0, 0, 1, 1, 2, 2]


def test_a_text_that_is_never_graded_is_listed(api):
    api.answer = lambda body: "no" if "A dog" in str(body["messages"]) else json.dumps(GRADES)
    judged = judge_texts(judge(api), TEXTS, seeds=(0,))
    assert set(judged.grades) == {"a"} and "no usable JSON" in judged.failures["b"]


def test_a_seed_that_fails_is_listed_as_partial(api):
    api.answer = lambda body: "no" if body["seed"] == 1 and "A dog" in str(body["messages"]) else json.dumps(GRADES)
    judged = judge_texts(judge(api), TEXTS, seeds=(0, 1))
    assert len(judged.grades["b"]) == 1 and "b" in judged.partial and not judged.failures


def test_a_judge_that_grades_nothing_and_a_refused_key_stop(api):
    api.answer = lambda body: "no"
    with pytest.raises(EndpointError, match="none of 2 texts"):
        judge_texts(judge(api), TEXTS, seeds=(0,))
    api.script = [401] * 10
    with pytest.raises(KeyRefused) as error:
        judge_texts(judge(api), TEXTS)
    assert "sk-hidden" not in str(error.value)


def test_report_of_the_judge(api):
    def graded(body):
        shift = int(re.search(r"The rest:\n(\d+)", body["messages"][1]["content"]).group(1)) + body["seed"]
        return json.dumps(GRADES | {"plot": shift})

    api.answer = graded
    written = {
        condition: [Completion(f"i{k}", "A", f"{k + gain} words.", {}, "truth") for k in range(4)]
        for condition, gain in (("true", 2), ("blank", 0))
    }
    report = grade_with_judge(
        written, judge(api, price_in=1, price_out=1), seeds=(0, 1), fewest_items=4, resamples=200
    )
    plot = report["scores"]["true"]["plot"]
    assert plot["mean"] == pytest.approx(4.0) and plot["low"] < 4 < plot["high"] and plot["items"] == 4
    assert report["scores"]["blank"]["plot"]["mean"] == pytest.approx(2.0)
    assert report["seed_spread"]["true"]["plot"] == pytest.approx(0.5**0.5)
    assert "judge-1" in plot["grader"] and "told the truth" in plot["grader"]
    assert report["usage"]["requests"] == 16 and report["usage"]["cost"] == pytest.approx(16 * 14 / 1e6)
    table = grades_table(report)
    assert "4.00 [" in table and "judge-1" in table and "16 requests" in table


def test_too_few_items_are_refused():
    with pytest.raises(ValueError, match="too few to grade"):
        check_items(99)
    check_items(100)


# without an endpoint --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reference():
    texts = [short_description(world_scene(5, "train", index)) for index in range(300)]
    return train_reference_lm(texts, vocab_size=400, width=64, layers=1, epochs=30)


def scene_of(completion) -> Scene:
    return world_scene(0, "test", int(completion.id[1:]))


def test_consistency_counts_what_is_added():
    (one,) = completions(1, None)  # the true rest
    wrong = Completion(one.id, one.prefix, "There is a green train and three pink cows.", one.facts, one.truth)
    silent = Completion(one.id, one.prefix, "So much fun!", one.facts, one.truth)
    assert grade_consistency(one) > 6 > grade_consistency(wrong)
    assert grade_consistency(wrong) == 0 == grade_consistency(silent)
    # the beginning alone earns nothing: what it tells is taken away
    assert grade_consistency(Completion(one.id, one.prefix, "", one.facts)) == 0
    told = Completion("x", "A cat", "sits.", {"captions": ["A cat."]})
    assert grade_consistency(told) is None  # the beginning left nothing to tell


def test_consistency_with_captions():
    facts = {"captions": ["A brown dog runs on the beach.", "The dog plays with a ball near the sea."]}
    right = Completion("x", "A brown dog", "plays with a ball on the beach.", facts)
    wrong = Completion("x", "A brown dog", "sleeps in the kitchen.", facts)
    assert grade_consistency(right) > 5 and grade_consistency(wrong) == 0
    with pytest.raises(ValueError, match="neither a scene nor captions"):
        grade_consistency(Completion("x", "A", "b."))


def test_grammar_and_plot_grades():
    (one,) = completions(1, None)
    assert grade_grammar(one) == 10 and grade_plot(one) == 10
    assert grade_grammar(Completion("x", "I see", "a cat. the dog the the.")) == 5
    assert grade_grammar(Completion("x", "I see", "")) == 0 == grade_plot(Completion("x", "I see", "", one.facts))
    stuck = Completion(one.id, one.prefix, "so fun. It is so fun. It is so fun and it is", one.facts)
    assert grade_plot(stuck) <= 5


def test_reference_lm_scale(reference, tmp_path):
    true = [short_description(world_scene(6, "test", index)) for index in range(20)]
    mixed = [" ".join(sorted(text.split())) for text in true]
    grades, low = ([reference.grade(value) for value in reference.nll(texts)] for texts in (true, mixed))
    assert sum(grades) / 20 > 8 and sum(low) / 20 < 4
    assert reference.nll([""], ["A cat"]) == [float("inf")] and reference.grade(float("inf")) == 0
    alone = reference.nll([true[0]], ["A"])
    assert reference.nll([*true[:3]], ["A"] * 3)[0] == pytest.approx(alone[0], abs=1e-4)  # padding changes nothing
    reference.save(tmp_path)
    assert ReferenceLM.load(tmp_path).nll(true[:2]) == pytest.approx(reference.nll(true[:2]), abs=1e-5)
    with pytest.raises(ValueError, match="at least 20"):
        train_reference_lm(["one"] * 5)
    with pytest.raises(ValueError, match="more texts or epochs"):
        train_reference_lm(true, vocab_size=300, width=32, layers=1, epochs=1)


def test_report_without_an_endpoint_has_every_dimension_and_condition(reference):
    graders = programmatic_graders(["A red cat sits here."], reference)
    written = {"true": completions(6, None), "blank": completions(6), "shuffled": completions(6, "")}
    report = grade_with_rules(written, graders, fewest_items=6, resamples=100)
    for condition in written:
        for dimension in DIMENSIONS:
            score = report["scores"][condition][dimension]
            assert 0 <= score["low"] <= score["mean"] <= score["high"] <= 10 and score["grader"]
    assert report["scores"]["true"]["consistency"]["mean"] > 5 > report["scores"]["blank"]["consistency"]["mean"]
    assert all(score["mean"] == 0 for score in report["scores"]["shuffled"].values())
    assert 0 < report["scores"]["true"]["consistency"]["items"] <= 6
    assert report["empty"]["shuffled"] == [f"i{k}" for k in range(6)]
    assert all(grader["sees"] and grader["blind_to"] for grader in report["graders"].values())
    assert len(grades_table(report).splitlines()) == 6
    with pytest.raises(ValueError, match="too few"):
        grade_with_rules(written, graders)
