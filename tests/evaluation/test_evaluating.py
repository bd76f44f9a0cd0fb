"""Whole evaluations of a tiny model: files, resuming, two processes, batches against one by one, comparing, and bad input."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hub_fixtures import write_benchmark
from loopback_api import Api, serve
from small_models import build_model, picture

from nanovlms_hf.evaluation import evaluating
from nanovlms_hf.evaluation.comparing import compare_runs, comparison_table
from nanovlms_hf.evaluation.evaluating import EvaluationArguments, read_training_texts, run_evaluation
from nanovlms_hf.evaluation.generating import Asked, answer_batch, completion_nll, prompt_text
from nanovlms_hf.evaluation.items import Item
from nanovlms_hf.evaluation.run_store import RunStore, model_digest
from nanovlms_hf.evaluation.scoring import Sample, score_samples
from nanovlms_hf.training.arguments import parse

ROOT = Path(__file__).parents[2]


def arguments(saved, folder, **changes):
    given = {
        "model": saved,
        "output_dir": str(folder),
        "benchmarks": [{"name": "world_facts", "max_new_tokens": 6}],
        "limit": 5,
        "batch_size": 2,
        "resamples": 20,
        "grade": False,
    }
    return EvaluationArguments(**(given | changes))


# batches ----------------------------------------------------------------------------------------------------------------


def questions():
    """Prompts of many lengths, with no, one and two pictures, some with a beginning."""
    items = []
    for number in range(9):
        sources = [picture(number + 10 * k, 20 + number, 12) for k in range((1, 1, 2, 0)[number % 4])]
        prompt = "what is in the picture? " * (1 + number % 3)
        items.append(Item(str(number), "toy", prompt, sources, {}, "", prefix="a red dog" if number % 2 else ""))
    return [Asked(one, one.sources) for one in items]


@pytest.mark.parametrize("composition", ["patches", "modern"])
def test_a_batch_says_what_each_item_says_alone(composition, processor):
    model = build_model(composition)
    processor.image_seq_length = model.config.image_seq_length
    asked = questions()
    alone = [answer_batch(model, processor, [one], 8)[0] for one in asked]
    assert len(set(alone)) > 4
    for size in (2, 4, 9):
        together = [
            text
            for start in range(0, 9, size)
            for text in answer_batch(model, processor, asked[start : start + size], 8)
        ]
        assert together == alone


def test_likelihood_is_that_of_the_completion_alone(processor):
    model, asked = build_model("patches"), questions()[:3]
    truths = ["and a blue cat", "is there", "sit"]
    together = completion_nll(model, processor, asked, truths)
    for one, truth, found in zip(asked, truths, together, strict=True):
        start = prompt_text(processor, one.item)
        text = start + (" " if one.item.prefix else "") + truth
        inputs = processor(
            images=[one.pictures] if one.pictures else None, text=[text], add_special_tokens=False, return_tensors="pt"
        )
        begun = processor(
            images=[one.pictures] if one.pictures else None,
            text=[start],
            add_special_tokens=False,
            return_tensors="pt",
        )
        first = begun["input_ids"].shape[1]
        with torch.inference_mode():
            scores = torch.log_softmax(model(**inputs).logits[0], -1)
        ids = inputs["input_ids"][0]
        by_hand = -sum(float(scores[place - 1, ids[place]]) for place in range(first, len(ids)))
        assert found["tokens"] == len(ids) - first and found["nll"] == pytest.approx(by_hand, rel=1e-4)


def test_questions_that_fill_the_context_are_not_answered(processor):
    model = build_model("patches")
    long = Asked(Item("x", "toy", "what is in the picture? " * 60, [picture()], {}, ""), [picture()])
    answers = answer_batch(model, processor, [questions()[0], long], 4)
    assert answers[0] is not None and answers[1] is None
    assert answer_batch(model, processor, [long], 4) == [None]


# a whole run ------------------------------------------------------------------------------------------------------------


def test_a_run_writes_its_files_and_goes_on_from_any_of_them(saved, tmp_path, monkeypatch):
    calls = []
    real = evaluating.answer_batch
    monkeypatch.setattr(evaluating, "answer_batch", lambda *a, **k: calls.append(len(a[2])) or real(*a, **k))
    results = run_evaluation(arguments(saved, tmp_path))
    assert sum(calls) == 15 and results == json.loads((tmp_path / "metrics.json").read_text())
    found = results["benchmarks"]["world_facts"]
    assert found["items"] == 5 and set(found["scores"]) == {"true", "blank", "shuffled"}
    for condition, scores in found["scores"].items():
        assert {"facts", "rouge", "bleu", "cider", "distinct", "self_bleu", "perplexity"} <= set(scores), condition
        for metric in scores.values():
            for value in metric.values():
                assert value["low"] <= value["value"] + 1e-9 and value["value"] <= value["high"] + 1e-9
    assert set(found["sight"]) == {"blank", "shuffled"}
    samples = [json.loads(line) for line in (tmp_path / "samples.jsonl").read_text().splitlines()]
    assert len(samples) == 5 and set(samples[0]["said"]) == {"true", "blank", "shuffled"}
    page = (tmp_path / "report.html").read_text()
    assert page.count("<article") == 5 and "data:image/png" in page and "http" not in page.replace("http-equiv", "")
    # nothing is asked twice; answers that a kill cut off are
    calls.clear()
    again = run_evaluation(arguments(saved, tmp_path, batch_size=4))
    assert calls == [] and again["benchmarks"] == results["benchmarks"]
    (part,) = (tmp_path / "parts").glob("*.jsonl")
    part.write_text(part.read_text()[:-400])
    assert run_evaluation(arguments(saved, tmp_path))["benchmarks"] == results["benchmarks"] and 0 < sum(calls) < 8


def test_another_evaluation_in_the_folder_is_refused(saved, tmp_path):
    run_evaluation(arguments(saved, tmp_path, conditions=["true"]))
    with pytest.raises(ValueError, match="differs in items"):
        run_evaluation(arguments(saved, tmp_path, limit=4))
    results = run_evaluation(arguments(saved, tmp_path, limit=4, conditions=["true"], overwrite=True))
    assert results["benchmarks"]["world_facts"]["items"] == 4 and not results["benchmarks"]["world_facts"]["sight"]


def test_two_processes_give_the_numbers_of_one(saved, tmp_path):
    environment = os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
    one = run_evaluation(arguments(saved, tmp_path / "one", conditions=["true", "shuffled"]))
    command = [
        sys.executable,
        "-m",
        "accelerate.commands.launch",
        "--config_file",
        "recipes/accelerate_configs/cpu.yaml",
    ]
    command += ["recipes/evaluate.py", "--config", str(tmp_path / "e.yaml")]
    given = {**vars(arguments(saved, tmp_path / "two", conditions=["true", "shuffled"]))}
    (tmp_path / "e.yaml").write_text(json.dumps({key: value for key, value in given.items() if value is not None}))
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    two = json.loads((tmp_path / "two" / "metrics.json").read_text())
    assert two["benchmarks"] == one["benchmarks"]
    ranks = {path.name.split(".")[1] for path in (tmp_path / "two" / "parts").glob("*.jsonl")}
    assert ranks == {"0", "1"} and done.stdout.count("metrics.json, samples.jsonl") == 1


def test_rows_that_cannot_be_asked_or_scored_are_in_every_output(saved, tmp_path):
    folder = write_benchmark(tmp_path, "docvqa")
    entry = {"name": "docvqa", "path": folder, "max_new_tokens": 3}
    results = run_evaluation(arguments(saved, tmp_path / "run", benchmarks=[entry], limit=None, conditions=["true"]))
    found = results["benchmarks"]["docvqa"]
    assert found["items"] == 2 and found["scored"] == {"true": 1} and len(found["problems"]) == 3
    samples = [json.loads(line) for line in (tmp_path / "run" / "samples.jsonl").read_text().splitlines()]
    assert samples[1]["said"] and not samples[1]["references"]
    page = (tmp_path / "run" / "report.html").read_text()
    assert "rows not asked, not scored" in page and "there is no picture in" in page and "not given" in page


def test_a_picture_that_breaks_while_asking_is_listed(saved, tmp_path, monkeypatch):
    folder = write_benchmark(tmp_path, "pope")  # both rows show the same picture: nothing to shuffle with
    entry = {"name": "pope", "path": folder, "max_new_tokens": 2}
    results = run_evaluation(arguments(saved, tmp_path / "run", benchmarks=[entry], limit=None))
    found = results["benchmarks"]["pope"]
    assert set(found["unanswered"]["shuffled"]) == {"test/0", "test/1"} and found["scores"]["shuffled"] == {}
    assert "shuffled" not in found["sight"] and "blank" in found["sight"]


def test_a_judge_marks_a_benchmark_that_asks_for_it(saved, tmp_path, monkeypatch):
    entry = {"name": "mmvet", "path": write_benchmark(tmp_path, "mmvet"), "max_new_tokens": 3}
    with serve(Api()) as api:
        api.answer = lambda body: json.dumps({"correctness": 0.4})
        options = {
            "benchmarks": [entry],
            "limit": None,
            "conditions": ["true", "blank"],
            "grade": True,
            "judge_seeds": 1,
        }
        results = run_evaluation(
            arguments(saved, tmp_path / "run", judge_url=api.url, judge_model="judge-1", **options)
        )
    (report,) = results["grading"]["mmvet"]
    means = {condition: scores["correctness, ocr"]["mean"] for condition, scores in report["scores"].items()}
    assert means in ({"true": 0.4, "blank": 0.4}, {"true": 0.0, "blank": 0.0})  # a model that says nothing is wrong
    assert results["benchmarks"]["mmvet"]["judge"] == "correctness"
    page = (tmp_path / "run" / "report.html").read_text()
    assert "grade 0 to 1, judge" in page and "correctness, math" in page


@pytest.mark.parametrize(
    "changes, wrong",
    [
        ({"conditions": ["blank"]}, "with `true` among them"),
        ({"conditions": ["true", "dark"]}, "choose of true, blank, shuffled"),
        ({"batch_size": 0}, "give at least 1"),
        ({"benchmarks": []}, "name at least one"),
    ],
)
def test_wrong_arguments(changes, wrong):
    with pytest.raises(ValueError, match=wrong):
        EvaluationArguments(**changes)


def test_a_benchmark_named_twice(saved, tmp_path):
    with pytest.raises(ValueError, match="names one twice"):
        run_evaluation(arguments(saved, tmp_path, benchmarks=["world_facts", "world_facts"]))


def test_training_texts(tmp_path):
    assert len(read_training_texts("world:3")) == 3 and read_training_texts(None) == []
    (tmp_path / "t.txt").write_text("one\n\n two \n")
    assert read_training_texts(str(tmp_path / "t.txt")) == ["one", "two"]
    for entry in ("world:many", str(tmp_path / "none.txt")):
        with pytest.raises(ValueError, match="training_texts"):
            read_training_texts(entry)


def test_recipes_of_evaluation_parse():
    files = sorted((ROOT / "recipes").rglob("evaluate.yaml"))
    assert files
    for path in files:
        (parsed,) = parse((EvaluationArguments,), ["--config", str(path)])
        assert parsed.benchmarks and parsed.conditions == ["true", "blank", "shuffled"]
        if parsed.grade and any(name in ("shortdesc", "longdesc") for name in parsed.benchmarks):
            assert parsed.limit is None or parsed.limit >= parsed.fewest_items >= 100


def test_benchmarks_as_flags(tmp_path):
    flags = ["--benchmarks", "nope", '{"name": "chartqa", "path": "my/copy", "limit": 3}', "--batch_size", "4"]
    (parsed,) = parse((EvaluationArguments,), flags)
    mapping = {"name": "chartqa", "path": "my/copy", "limit": 3}
    assert parsed.benchmarks == ["nope", mapping] and parsed.batch_size == 4
    config = tmp_path / "evaluate.yaml"
    config.write_text("benchmarks: [world_facts, {name: chartqa, path: my/copy, limit: 3}]\n")
    (parsed,) = parse((EvaluationArguments,), ["--config", str(config)])
    assert parsed.benchmarks == ["world_facts", mapping]
    (parsed,) = parse((EvaluationArguments,), ["--config", str(config), "--benchmarks", "shortdesc"])
    assert parsed.benchmarks == ["shortdesc"]
    with pytest.raises(ValueError, match="benchmarks='{name: chartqa}' is not JSON"):
        parse((EvaluationArguments,), ["--benchmarks", "{name: chartqa}"])


def test_a_mistyped_benchmark_as_a_flag_is_told_by_name(saved, tmp_path):
    (parsed,) = parse(
        (EvaluationArguments,), ["--model", saved, "--benchmarks", "nope", "--output_dir", str(tmp_path / "run")]
    )
    with pytest.raises(ValueError, match="nope"):
        run_evaluation(parsed)
    assert not (tmp_path / "run").exists()


def test_a_mistyped_model_leaves_the_folder_to_the_corrected_run(saved, tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(ValueError, match="is no such folder"):
        run_evaluation(arguments(str(tmp_path / "no_model"), folder, conditions=["true"]))
    assert not folder.exists()
    assert run_evaluation(arguments(saved, folder, conditions=["true"]))["benchmarks"]["world_facts"]["items"] == 5


def test_digest_follows_the_weights(saved):
    before = model_digest(saved)
    assert model_digest(saved) == before and model_digest("some/hub-id") == "some/hub-id"
    config = Path(saved) / "config.json"
    config.write_text(config.read_text() + " ")
    assert model_digest(saved) != before


def test_store_ignores_a_torn_line(tmp_path):
    store = RunStore(tmp_path)
    store.open({"a": 1})
    store.add([{"benchmark": "b", "condition": "true", "id": "1", "said": "x\u2028y"}])
    store.close()
    (tmp_path / "parts" / "0.jsonl").write_text('{"benchmark": "b", "condition": "true", "id": "2", "sa')
    assert list(store.read()) == [("b", "true", "1")]


# scores and comparing ---------------------------------------------------------------------------------------------------


def samples(said):
    return [
        Sample("toy", str(k), "Which?", "cat", {"exact_match": ["cat"]}, said={"true": text, "blank": "dog"})
        for k, text in enumerate(said)
    ]


def test_sight_is_what_the_right_picture_adds():
    chosen = samples(["cat", "cat", "", "dog"])
    chosen.append(Sample("toy", "9", "Which?", "", {}, said={"true": "cat", "blank": "cat"}))
    result = score_samples(chosen, ["exact_match"], ["true", "blank"], resamples=50)
    assert result["scores"]["true"]["exact_match"]["exact_match"]["value"] == 0.5
    assert result["sight"]["blank"]["gain"] == 0.5 and result["sight"]["blank"]["items"] == 4
    assert result["empty_predictions"]["true"] == ["2"] and result["scored"]["true"] == 4
    assert [sample.scores.get("true") for sample in chosen] == [1, 1, 0, 0, None]


def write_run(folder, said):
    folder.mkdir()
    (folder / "samples.jsonl").write_text("".join(json.dumps(s.as_record()) + "\n" for s in samples(said)))
    return folder


def test_compare(tmp_path):
    first = write_run(tmp_path / "a", ["cat", "dog"] * 20)
    second = write_run(tmp_path / "b", ["cat", "cat", "cat", "dog"] * 9)
    compared = compare_runs(first, second, resamples=200)
    found = compared["toy"]["scores"]["exact_match"]
    assert compared["toy"]["items"] == 36 and len(compared["toy"]["only_first"]) == 4
    assert (found["first"], found["second"]) == (0.5, 0.75) and found["low"] > 0 and found["p"] < 0.05
    table = comparison_table(compared, "a", "b")
    assert re.search(r"exact_match +0\.5000 +0\.7500 +\+0\.2500\*", table) and "4 in one only" in table
    with pytest.raises(ValueError, match="no samples.jsonl"):
        compare_runs(first, tmp_path)
    changed = write_run(tmp_path / "c", ["cat"])
    (changed / "samples.jsonl").write_text((changed / "samples.jsonl").read_text().replace("Which?", "What?"))
    with pytest.raises(ValueError, match="share no item"):
        compare_runs(first, changed)
