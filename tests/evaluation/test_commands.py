"""The subcommands: grading a finished run with a judge on loopback, comparing, listing, describing a dataset."""

import json

import pytest
from loopback_api import Api, serve

from nanovlms_hf.cli import main
from nanovlms_hf.evaluation.benchmark_config import benchmark_names
from nanovlms_hf.evaluation.scoring import Sample

GRADES = {"grammar": 7, "creativity": 3, "consistency": 9, "meaningfulness": 6, "plot": 2}


@pytest.fixture
def api(monkeypatch):
    monkeypatch.setenv("NANOVLMS_ENDPOINT_KEY", "sk-hidden")
    for name in ("NANOVLMS_ENDPOINT_URL", "OPENAI_BASE_URL", "NANOVLMS_ENDPOINT_MODEL"):
        monkeypatch.delenv(name, raising=False)
    with serve(Api()) as running:
        running.answer = lambda body: json.dumps(GRADES)
        yield running


@pytest.fixture
def run(tmp_path):
    """A finished evaluation of completions, as files."""
    folder = tmp_path / "run"
    folder.mkdir()
    samples = [
        Sample(
            "shortdesc",
            f"test/{k}",
            "?",
            "A red cat sits.",
            {"rouge": ["cat sits."]},
            "A red",
            said={"true": "cat sits.", "blank": "dog."},
        )
        for k in range(4)
    ]
    (folder / "samples.jsonl").write_text("".join(json.dumps(sample.as_record()) + "\n" for sample in samples))
    results = {"conditions": ["true", "blank"], "grading": {"shortdesc": []}, "benchmarks": {}}
    (folder / "metrics.json").write_text(json.dumps(results))
    return folder


def test_grade_adds_a_report_and_prints_tokens(api, run, capsys):
    flags = ["--base-url", api.url, "--model", "judge-1", "--judge-seeds", "2", "--fewest-items", "4"]
    assert main(["grade", str(run), *flags]) == 0
    printed = capsys.readouterr().out
    assert "shortdesc" in printed and "9.00 [9.00, 9.00]" in printed and "prompt and" in printed
    (report,) = json.loads((run / "metrics.json").read_text())["grading"]["shortdesc"]
    assert report["kind"] == "judge" and report["scores"]["blank"]["plot"]["mean"] == 2
    asked = len(api.bodies)
    assert main(["grade", str(run), *flags]) == 0 and len(api.bodies) == asked  # from the cache, and no second report
    assert len(json.loads((run / "metrics.json").read_text())["grading"]["shortdesc"]) == 1
    assert not any("sk-hidden" in path.read_text() for path in run.rglob("*") if path.is_file())


def test_grade_without_an_endpoint_and_with_too_few_items(api, run, capsys):
    assert main(["grade", str(run)]) == 2 and "no endpoint is named" in capsys.readouterr().err
    assert main(["grade", str(run), "--base-url", api.url, "--model", "m"]) == 2
    assert "too few to grade" in capsys.readouterr().err
    api.script = [401] * 9
    assert main(["grade", str(run), "--base-url", api.url, "--model", "m", "--fewest-items", "1"]) == 2
    error = capsys.readouterr().err
    assert "refused the key" in error and "sk-hidden" not in error


def test_compare_prints_and_writes(run, tmp_path, capsys):
    assert main(["compare", str(run), str(run), "--json", str(tmp_path / "c.json")]) == 0
    assert "4 items in both" in capsys.readouterr().out
    assert json.loads((tmp_path / "c.json").read_text())["shortdesc"]["scores"]["rougeL"]["difference"] == 0
    assert main(["compare", str(run), str(tmp_path / "none")]) == 2 and "no samples.jsonl" in capsys.readouterr().err


def test_benchmarks_lists_all(capsys):
    assert main(["benchmarks"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in benchmark_names())


def test_describe_dataset_without_an_endpoint(api, tmp_path, capsys):
    assert main(["describe-dataset", str(tmp_path / "out"), "--path", "parquet"]) == 2
    assert "no endpoint is named" in capsys.readouterr().err
