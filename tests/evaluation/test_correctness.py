"""MM-Vet's score: a judge on loopback marks answers from 0 to 1, for all items and for each capability."""

import json

import pytest
from hub_fixtures import write_benchmark
from loopback_api import Api, serve

from nanovlms_hf.cli import main
from nanovlms_hf.endpoint import ChatEndpoint, EndpointConfig, EndpointError
from nanovlms_hf.evaluation.benchmark_config import get_benchmark
from nanovlms_hf.evaluation.benchmarks import load_benchmark
from nanovlms_hf.evaluation.correctness import Answered, check_correctness, correctness_messages, mark_answers
from nanovlms_hf.evaluation.evaluating import answers_by_condition
from nanovlms_hf.evaluation.grading import grades_table
from nanovlms_hf.evaluation.scoring import Sample

MARKS = {"right": 1.0, "half": 0.5, "wrong": 0.0}
ITEMS = [("a", "right", "ocr"), ("b", "half", "ocr,math"), ("c", "wrong", "math"), ("d", "", "rec")]


def said(body) -> str:
    return body["messages"][1]["content"].split("The pupil's answer:\n")[1].split("\n")[0]


@pytest.fixture
def api(monkeypatch):
    monkeypatch.setenv("NANOVLMS_ENDPOINT_KEY", "sk-hidden")
    for name in ("NANOVLMS_ENDPOINT_URL", "OPENAI_BASE_URL", "NANOVLMS_ENDPOINT_MODEL"):
        monkeypatch.delenv(name, raising=False)
    with serve(Api()) as running:
        running.answer = lambda body: json.dumps({"correctness": MARKS[said(body)]})
        yield running


def judge(api):
    config = EndpointConfig(api.url, "judge-1", "sk-hidden", timeout=1, retries=0, workers=2)
    return ChatEndpoint(config, sleep=lambda seconds: None)


def answers(**changed):
    return [
        Answered(name, "What is x?", "-1 <AND> -5", changed.get(name, text), tuple(needs.split(",")))
        for name, text, needs in ITEMS
    ]


def test_the_judge_sees_question_truth_and_answer_and_how_elements_count():
    system, user = correctness_messages(answers()[0])
    assert system["role"] == "system" and "not the picture" in system["content"]
    for piece in ("What is x?", "-1 <AND> -5", "right", "<OR>", '{"correctness": 0.0}'):
        assert piece in user["content"], piece


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"correctness": 1, "reason": "x"},
        {"score": 1},
        *({"correctness": value} for value in (1.01, -0.1, "0.5", None, True, float("nan"), [1])),
    ],
)
def test_marks_are_checked(answer):
    with pytest.raises(ValueError):
        check_correctness(answer)


def test_marks_are_tenths():
    assert check_correctness({"correctness": 0.349}) == {"correctness": 0.3}
    assert check_correctness({"correctness": 1}) == {"correctness": 1.0}


def test_the_report_has_the_total_and_each_capability_under_every_condition(api):
    report = mark_answers({"true": answers(), "blank": answers(a="wrong")}, judge(api), seeds=(0, 1), resamples=100)
    true = {name: score["mean"] for name, score in report["scores"]["true"].items()}
    assert true == {"correctness": 0.375, "correctness, ocr": 0.75, "correctness, math": 0.25, "correctness, rec": 0.0}
    assert report["scores"]["blank"]["correctness"]["mean"] == 0.125
    score = report["scores"]["true"]["correctness"]
    assert score["low"] < 0.375 < score["high"] and score["items"] == 4 and "judge-1" in score["grader"]
    assert report["empty"]["true"] == ["d"] and len(api.bodies) == 2 * 3 * 2  # the empty one is not asked
    assert report["scale"] == "0 to 1" and report["seed_spread"]["true"] == {"correctness": 0.0}
    table = grades_table(report)
    assert "correctness, math" in table and "0.38 [" in table and "12 requests" in table


def test_answers_that_are_never_marked_are_listed_and_a_judge_that_marks_none_stops(api):
    api.answer = lambda body: "no" if said(body) == "half" else json.dumps({"correctness": 1.0})
    report = mark_answers({"true": answers()}, judge(api), seeds=(0,), resamples=10)
    assert set(report["failures"]["true"]) == {"b"} and report["scores"]["true"]["correctness"]["items"] == 3
    api.answer = lambda body: "no"
    with pytest.raises(EndpointError, match="none of 3 texts"):
        mark_answers({"true": answers()}, judge(api), seeds=(0,))
    with pytest.raises(ValueError, match="no answer to mark"):
        mark_answers({"true": []}, judge(api))


def test_the_registry_lets_a_judge_mark_mmvet(tmp_path):
    assert get_benchmark("mmvet").judge == "correctness"
    (item,), _ = load_benchmark("mmvet", path=write_benchmark(tmp_path, "mmvet"))
    sample = Sample(
        item.benchmark, item.id, item.prompt, item.truth, item.references, group=item.group, said={"true": "-1"}
    )
    (answered,) = answers_by_condition([sample], ["true"])["true"]
    assert answered.truth == "-1<AND>-5" and answered.capabilities == ("ocr", "math") and answered.said == "-1"
    with pytest.raises(ValueError, match="has judge: 'correctnes'; did you mean 'correctness'"):
        get_benchmark({"name": "mmvet", "judge": "correctnes"})


def test_grade_marks_a_finished_run(api, tmp_path, capsys):
    samples = [
        Sample("mmvet", name, "What is x?", "-1", {"mmvet_elements": "-1"}, group=needs, said={"true": text})
        for name, text, needs in ITEMS
    ]
    (tmp_path / "samples.jsonl").write_text("".join(json.dumps(sample.as_record()) + "\n" for sample in samples))
    results = {"conditions": ["true"], "grading": {}, "benchmarks": {"mmvet": {"judge": "correctness"}}}
    (tmp_path / "metrics.json").write_text(json.dumps(results))
    flags = ["--base-url", api.url, "--model", "judge-1", "--judge-seeds", "1"]
    assert main(["grade", str(tmp_path), *flags]) == 0
    assert "correctness, ocr" in capsys.readouterr().out
    (report,) = json.loads((tmp_path / "metrics.json").read_text())["grading"]["mmvet"]
    assert report["scores"]["true"]["correctness"]["mean"] == 0.375
    assert not any("sk-hidden" in path.read_text() for path in tmp_path.rglob("*") if path.is_file())
