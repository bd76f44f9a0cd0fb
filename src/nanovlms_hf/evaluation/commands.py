"""What the subcommands of `nanovlms` that belong to evaluation do; each returns the text to print."""

import json
from pathlib import Path

from ..endpoint import ChatEndpoint, EndpointConfig
from .benchmark_config import benchmark_names, get_benchmark
from .comparing import compare_runs, comparison_table, read_samples
from .correctness import mark_answers
from .evaluating import answers_by_condition, completions_by_condition
from .grading import grade_with_judge, grades_table
from .run_store import write_atomically


def benchmarks_table() -> str:
    """Name, metrics and origin of every benchmark of the registry."""
    lines = []
    for name in benchmark_names():
        benchmark = get_benchmark(name)
        where = benchmark.path or {"world": "the picture world", "source": "a local file"}[benchmark.loader]
        lines.append(f"{name:18}{', '.join(benchmark.metrics):26}{where}")
    return "\n".join(lines)


def endpoint_from(arguments, cache_dir: str | Path) -> ChatEndpoint:
    """The endpoint that flags or the environment name.

    Raises:
        ValueError: neither names one.
    """
    config = EndpointConfig.from_environment(
        arguments.base_url,
        arguments.model,
        temperature=arguments.temperature,
        timeout=arguments.timeout,
        retries=arguments.retries,
        workers=arguments.workers,
        price_in=arguments.price_in,
        price_out=arguments.price_out,
        cache_dir=str(cache_dir),
    )
    if config is None:
        raise ValueError("no endpoint is named; give --base-url and --model, or set NANOVLMS_ENDPOINT_URL and _MODEL.")
    return ChatEndpoint(config)


def grade_run(arguments) -> str:
    """Grades or marks a finished evaluation with a judge and adds the report to its `metrics.json`."""
    folder = Path(arguments.folder)
    samples = read_samples(folder)
    results = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    marked = [name for name, result in results["benchmarks"].items() if result.get("judge")]
    names = [name for name in dict.fromkeys(s.benchmark for s in samples if s.prefix or s.benchmark in marked)]
    if not names:
        raise ValueError(
            f"{folder} holds nothing for a judge; run a benchmark that gives a beginning, such as shortdesc, or mmvet."
        )
    endpoint = endpoint_from(arguments, folder / "judge_cache")
    tables, seeds = [], range(arguments.judge_seeds)
    for name in names:
        chosen = [sample for sample in samples if sample.benchmark == name]
        if name in marked:
            report = mark_answers(answers_by_condition(chosen, results["conditions"]), endpoint, seeds=seeds)
        else:
            report = grade_with_judge(
                completions_by_condition(chosen, results["conditions"]),
                endpoint,
                seeds=seeds,
                show_truth=not arguments.hide_truth,
                fewest_items=arguments.fewest_items,
            )
        kept = [old for old in results["grading"].get(name, []) if old["graders"] != report["graders"]]
        results["grading"][name] = [*kept, report]
        tables.append(f"{name}\n{grades_table(report)}")
    write_atomically(folder / "metrics.json", json.dumps(results, indent=1))
    return "\n\n".join(tables)


def compare_command(arguments) -> str:
    """Compares two finished evaluations; writes the numbers to a file where one is named."""
    compared = compare_runs(arguments.first, arguments.second, arguments.condition, arguments.resamples)
    if arguments.json:
        write_atomically(Path(arguments.json), json.dumps(compared, indent=1))
    return comparison_table(compared, arguments.first, arguments.second)


def describe_dataset_command(arguments) -> str:
    """Rewrites a dataset's captions and says what became of the rows and what it cost."""
    from ..data.describe_dataset import DescribeConfig, describe_dataset
    from ..data.rewriting import Rules

    given = (
        "config_name",
        "data_files",
        "split",
        "revision",
        "image",
        "captions",
        "id",
        "limit",
        "held_out",
        "seed",
        "push_to_hub",
    )
    options = {name: getattr(arguments, name) for name in given}
    config = DescribeConfig(arguments.output_dir, **({"path": arguments.path} if arguments.path else {}), **options)
    rules = Rules()
    if arguments.words:
        if not Path(arguments.words).is_file():
            raise ValueError(f"--words {arguments.words} is no file; give one with an easy word a line.")
        rules.words = frozenset(Path(arguments.words).read_text(encoding="utf-8").lower().split())
    endpoint = endpoint_from(arguments, Path(arguments.output_dir) / "endpoint_cache")
    result, report = describe_dataset(config, endpoint, rules)
    sizes = ", ".join(f"{name} {len(part)}" for name, part in result.items())
    return f"{report.sentence()}\n{sizes} rows in {Path(arguments.output_dir) / 'dataset'}\n{endpoint.usage.sentence(endpoint.config)}"


__all__ = ["benchmarks_table", "compare_command", "describe_dataset_command", "endpoint_from", "grade_run"]
