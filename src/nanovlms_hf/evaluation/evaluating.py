"""A whole evaluation: `accelerate launch recipes/evaluate.py --config recipes/<model>/evaluate.yaml`.

Asks a model every item of the named benchmarks under every picture condition, in batches and in as many processes as accelerate
starts, goes on where it was killed, and writes

    metrics.json    every score with its interval, the controls, and what could not be asked or scored
    samples.jsonl   every item: prompt, truth, answers, scores
    report.html     pictures, answers and truths, sortable by error
"""

import json
import os
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from ..adapter_folders import load
from ..data.pictures import PictureError
from ..data.world import world_texts
from ..endpoint import ChatEndpoint, EndpointConfig
from ..locating import check_source
from ..training.low_bits import LowBitArguments, check_layers, check_low_bits, in_low_bits, quantization_config
from ..training.processes import parting_together
from .benchmarks import Benchmark, get_benchmark, load_benchmark
from .correctness import Answered, mark_answers
from .generating import Asked, answer_batch, completion_nll
from .graders import Completion, programmatic_graders
from .grading import FEWEST_ITEMS, grade_with_judge, grade_with_rules, grades_table
from .items import CONDITIONS, Conditions, Item, Problem
from .reference_lm import ReferenceLM, train_reference_lm, world_reference_texts
from .results_page import write_results_page
from .run_store import RunStore, model_digest, write_atomically
from .scoring import Sample, score_samples


@dataclass
class EvaluationArguments(LowBitArguments):
    """What an evaluation's YAML may say, with the keys of 8 and 4 bits (`LowBitArguments`); flags override it.

    Args:
        model (`str`): a saved image-text-to-text model, local or on the Hub, or the folder of an adapter.
        output_dir (`str`): folder to write.
        benchmarks (`list`): names of the registry, or mappings that override one (`{name: chartqa, path: my/copy}`); a flag gives
            a mapping as JSON.
        conditions (`list[str]`): of true, blank and shuffled; the controls are what makes a number worth reading.
        limit (`int`, *optional*): at most this many items a benchmark (and split).
        batch_size (`int`, defaults to 32): items asked at once, by each process.
        seed (`int`, defaults to 0): of the choice of items, the beginnings and the bootstrap.
        resamples (`int`, defaults to 1000): of the bootstrap.
        likelihood (`bool`, defaults to True): measure the perplexity of the true words too, where the truth is a text.
        training_texts (`str`, *optional*): what the model was trained on, for overlap and creativity: `world:28000` for the first rows
            of the picture world, or a file with one text a line.
        grade (`bool`, defaults to True): grade benchmarks that give a beginning by NanoVLMs' protocol.
        fewest_items (`int`, defaults to 100): fewer items are refused for grades.
        reference_lm (`str`, *optional*): folder of the reference language model; trained there when it is not.
        reference_texts (`str`, *optional*): file with one text a line to train it on; the picture world when not given.
        judge_url, judge_model (`str`, *optional*): an endpoint of OpenAI's form; also from NANOVLMS_ENDPOINT_URL or
            OPENAI_BASE_URL and NANOVLMS_ENDPOINT_MODEL. The key comes from NANOVLMS_ENDPOINT_KEY or OPENAI_API_KEY only.
        judge_seeds (`int`, defaults to 3): how often each text is graded.
        judge_truth (`bool`, defaults to True): tell the judge what is true of the picture.
        judge_temperature, judge_timeout, judge_price_in, judge_price_out (`float`): see `EndpointConfig`.
        judge_retries, judge_workers (`int`): likewise.
        page_items (`int`, defaults to 200): items a benchmark on the page, the worst ones.
        overwrite (`bool`): throw away answers of another evaluation in the folder.
    """

    model: str = field(default="runs/demo", metadata={"help": "Saved model, local or on the Hub."})
    output_dir: str = field(default="runs/evaluation", metadata={"help": "Folder to write."})
    # Mappings too, but a flag of the argument parser can be a text alone.
    benchmarks: list[str] = field(
        default_factory=lambda: ["world_facts"], metadata={"help": "Names of benchmarks, or mappings as JSON."}
    )
    conditions: list[str] = field(
        default_factory=lambda: list(CONDITIONS), metadata={"help": "true, blank, shuffled."}
    )
    limit: int | None = field(default=None, metadata={"help": "At most this many items a benchmark."})
    batch_size: int = field(default=32, metadata={"help": "Items asked at once."})
    seed: int = field(default=0, metadata={"help": "Seed of items, beginnings and bootstrap."})
    resamples: int = field(default=1000, metadata={"help": "Resamples of the bootstrap."})
    likelihood: bool = field(default=True, metadata={"help": "Measure the perplexity of the true words."})
    training_texts: str | None = field(default=None, metadata={"help": "world:N, or a file with a text a line."})
    grade: bool = field(default=True, metadata={"help": "Grade completions by NanoVLMs' protocol."})
    fewest_items: int = field(default=FEWEST_ITEMS, metadata={"help": "Fewer items are not graded."})
    reference_lm: str | None = field(default=None, metadata={"help": "Folder of the reference language model."})
    reference_texts: str | None = field(default=None, metadata={"help": "File with texts to train it on."})
    judge_url: str | None = field(default=None, metadata={"help": "Base URL of the judge."})
    judge_model: str | None = field(default=None, metadata={"help": "Name of the judge's model."})
    judge_seeds: int = field(default=3, metadata={"help": "How often each text is graded."})
    judge_truth: bool = field(default=True, metadata={"help": "Tell the judge what is true."})
    judge_temperature: float = field(default=0.0, metadata={"help": "Temperature of the judge."})
    judge_timeout: float = field(default=60.0, metadata={"help": "Seconds to wait for an answer."})
    judge_retries: int = field(default=5, metadata={"help": "Further tries after a failure."})
    judge_workers: int = field(default=4, metadata={"help": "Requests in flight."})
    judge_price_in: float | None = field(default=None, metadata={"help": "Price of a million prompt tokens."})
    judge_price_out: float | None = field(default=None, metadata={"help": "Price of a million completion tokens."})
    page_items: int = field(default=200, metadata={"help": "Items a benchmark on the page."})
    overwrite: bool = field(default=False, metadata={"help": "Throw away another evaluation's answers."})

    def __post_init__(self):
        super().__post_init__()
        if isinstance(self.benchmarks, str):
            self.benchmarks = [self.benchmarks]
        self.benchmarks = [_mapping_or_name(entry) for entry in self.benchmarks]
        if isinstance(self.conditions, str):
            self.conditions = [self.conditions]
        self.conditions = ["true" if name is True else name for name in self.conditions]  # YAML reads a bare true
        unknown = [name for name in self.conditions if name not in CONDITIONS]
        if unknown or "true" not in self.conditions:
            raise ValueError(
                f"conditions={self.conditions}: choose of {', '.join(CONDITIONS)}, with `true` among them."
            )
        for name in ("batch_size", "resamples", "judge_seeds", "page_items", "fewest_items"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: give at least 1.")
        if not self.benchmarks:
            raise ValueError("there is no benchmark to run; name at least one in `benchmarks`.")


def _mapping_or_name(entry: Any) -> Any:
    """An entry of `benchmarks`, read as JSON where a flag gave a mapping."""
    if isinstance(entry, str) and entry.lstrip().startswith("{"):
        from ..training.arguments import as_mapping

        return as_mapping("benchmarks", entry)
    return entry


@dataclass
class _Part:
    """One benchmark of a run."""

    benchmark: Benchmark
    items: list[Item]
    problems: list[Problem]

    @property
    def texts(self) -> bool:
        """Whether the truth is a text whose likelihood says something."""
        return "rouge" in self.benchmark.metrics


def run_evaluation(arguments: EvaluationArguments) -> dict | None:
    """Runs or continues an evaluation.

    Args:
        arguments (`EvaluationArguments`): what to do.

    Returns:
        `dict` or `None`: the content of `metrics.json` in the first process, None in the others.

    Raises:
        ValueError: a wrong argument, an unusable benchmark, or a folder with another evaluation.
        EndpointError: a judge was named and does not answer.
    """
    process = process_state()
    started = time.time()
    check_source("model", arguments.model)
    parts = load_parts(arguments)
    store = RunStore(arguments.output_dir, process.process_index)
    if process.is_main_process:
        store.open(_state(arguments, parts), arguments.overwrite)
    process.wait_for_everyone()
    done = store.read()
    process.wait_for_everyone()  # nobody writes before everybody has read
    model, processor = load_model(arguments.model, process.device, arguments)
    for part in parts:
        for condition in arguments.conditions:
            todo = [k for k, item in enumerate(part.items) if (part.benchmark.name, condition, item.id) not in done]
            mine = todo[process.process_index :: process.num_processes]
            ask_items(model, processor, part, condition, mine, arguments, store, show=process.is_main_process)
    store.close()
    process.wait_for_everyone()
    if not process.is_main_process:
        return None
    seconds = {"asking_seconds": round(time.time() - started, 1)}
    return finish(arguments, parts, store.read(), {"parameters": model.num_parameters(), **seconds})


def process_state():
    """This process's place among those that accelerate started.

    Raises:
        ValueError: accelerate started several that do not know of each other; each would ask everything.
    """
    from accelerate import PartialState
    from accelerate.utils import parse_flag_from_env

    process = PartialState(cpu=parse_flag_from_env("ACCELERATE_USE_CPU"))
    if int(os.environ.get("WORLD_SIZE", 1)) != process.num_processes:
        raise ValueError(
            f"{os.environ['WORLD_SIZE']} processes were started, but this one sees {process.num_processes}; on a CPU set "
            "ACCELERATE_USE_CPU=true."
        )
    return process


def load_parts(arguments: EvaluationArguments) -> list[_Part]:
    """The items of every benchmark of an evaluation."""
    parts = []
    for entry in arguments.benchmarks:
        entry = dict(entry) if not isinstance(entry, str) else {"name": entry}
        limit = entry.pop("limit", arguments.limit)
        benchmark = get_benchmark(entry if len(entry) > 1 else entry["name"])
        parts.append(_Part(benchmark, *load_benchmark(benchmark, limit, arguments.seed)))
    names = [part.benchmark.name for part in parts]
    if len(set(names)) < len(names):
        raise ValueError(f"benchmarks={names} names one twice; give each another `name` and the registry's as `base`.")
    return parts


def load_model(name: str, device: torch.device, low_bits: LowBitArguments | None = None):
    """A model in evaluation mode, in 32-bit floats on a CPU, and its processor.

    Args:
        name (`str`): a saved model, local or on the Hub, or the folder of an adapter, which is merged into its base.
        device (`torch.device`): where the model shall lie.
        low_bits (`LowBitArguments`, *optional*): hold it in 8 or 4 bits.

    Raises:
        ValueError: if there is no such model, or 8 or 4 bits are asked for where they cannot be had.
    """
    check_source("model", name)
    low_bits = low_bits or LowBitArguments()
    check_low_bits(low_bits, training=False)
    dtype = "float32" if device.type == "cpu" else "auto"
    if device.type == "cpu":
        torch.set_num_threads(1)
    model, processor = load(name, quantization_config(low_bits), dtype=dtype)
    if in_low_bits(low_bits):
        check_layers(model, low_bits)
        return model.eval(), processor  # it is where it shall lie, and 8 bits cannot be moved
    return model.to(device).eval(), processor


def _state(arguments: EvaluationArguments, parts: Sequence[_Part]) -> dict:
    names = [field.name for field in fields(LowBitArguments)]
    bits = {"low_bits": {name: getattr(arguments, name) for name in names}} if in_low_bits(arguments) else {}
    return bits | {
        "model": model_digest(arguments.model),
        "benchmarks": [asdict(part.benchmark) for part in parts],
        "items": {part.benchmark.name: [item.id for item in part.items] for part in parts},
        "seed": arguments.seed,
        "likelihood": arguments.likelihood,
    }


def ask_items(
    model, processor, part: _Part, condition: str, places: list[int], arguments, store: RunStore, show: bool = False
) -> None:
    """Asks some items of a benchmark under one condition and stores the answers batch by batch."""
    given = Conditions(part.items)
    name = f"{part.benchmark.name}, {condition} picture"
    with tqdm(total=len(places), desc=name, disable=not show or not places, mininterval=1) as progress:
        for start in range(0, len(places), arguments.batch_size):
            batch = places[start : start + arguments.batch_size]
            records, asked = {}, []
            for place in batch:
                item = part.items[place]
                records[item.id] = {"benchmark": item.benchmark, "condition": condition, "id": item.id}
                try:
                    asked.append(Asked(item, given.pictures(place, condition)))
                except (PictureError, ValueError) as error:
                    records[item.id]["problem"] = str(error)
            _answer(model, processor, asked, records, part, arguments.likelihood)
            store.add(records.values())
            progress.update(len(batch))


def _answer(model, processor, asked: list[Asked], records: dict[str, dict], part: _Part, likelihood: bool) -> None:
    if not asked:
        return
    answers = answer_batch(model, processor, asked, part.benchmark.max_new_tokens)
    for one, answer in zip(asked, answers, strict=True):
        if answer is None:
            records[one.item.id]["problem"] = "the question alone fills the model's context"
        else:
            records[one.item.id]["said"] = answer
    if likelihood and part.texts:
        known = [one for one in asked if one.item.references and "said" in records[one.item.id]]
        if known:
            truths = [one.item.references["rouge"][0] for one in known]
            for one, nll in zip(known, completion_nll(model, processor, known, truths), strict=True):
                records[one.item.id]["likelihood"] = nll


def samples_of(part: _Part, conditions: Sequence[str], records: dict[tuple[str, str, str], dict]) -> list[Sample]:
    """The items of a benchmark with what became of them."""
    samples = []
    for item in part.items:
        sample = Sample(
            item.benchmark, item.id, item.prompt, item.truth, item.references, item.prefix, item.group, item.facts
        )
        for condition in conditions:
            record = records.get((item.benchmark, condition, item.id), {"problem": "it was not asked"})
            if "said" in record:
                sample.said[condition] = record["said"]
            else:
                sample.problems[condition] = record["problem"]
            if "likelihood" in record:
                sample.likelihood[condition] = record["likelihood"]
        samples.append(sample)
    return samples


def finish(arguments: EvaluationArguments, parts: Sequence[_Part], records: dict, facts: dict) -> dict:
    """Scores all answers, grades completions, and writes the three files; returns the content of `metrics.json`."""
    started = time.time()
    training = read_training_texts(arguments.training_texts)
    results: dict = {"model": arguments.model, **facts, "conditions": arguments.conditions, "benchmarks": {}}
    samples: dict[str, list[Sample]] = {}
    for part in parts:
        name = part.benchmark.name
        samples[name] = samples_of(part, arguments.conditions, records)
        results["benchmarks"][name] = {
            **({"judge": part.benchmark.judge} if part.benchmark.judge else {}),
            "problems": [{"id": problem.id, "reason": problem.reason} for problem in part.problems],
            **score_samples(
                samples[name],
                part.benchmark.metrics,
                arguments.conditions,
                training_texts=training,
                resamples=arguments.resamples,
                seed=arguments.seed,
            ),
        }
    results["grading"] = _grade(arguments, parts, samples, training) if arguments.grade else {}
    results["scoring_seconds"] = round(time.time() - started, 1)
    folder = Path(arguments.output_dir)
    lines = [json.dumps(sample.as_record()) for found in samples.values() for sample in found]
    write_atomically(folder / "samples.jsonl", "\n".join(lines) + "\n")
    write_atomically(folder / "metrics.json", json.dumps(results, indent=1))
    pictures = {part.benchmark.name: {item.id: item for item in part.items} for part in parts}
    write_results_page(folder / "report.html", results, samples, pictures, arguments.page_items)
    print(summary(results))
    print(f"metrics.json, samples.jsonl and report.html are in {folder}")
    return results


def read_training_texts(entry: str | None) -> list[str]:
    """`world:N`: short descriptions of the first N training scenes; otherwise the lines of a file; nothing for None.

    Raises:
        ValueError: neither a number of rows nor a file.
    """
    if not entry:
        return []
    if entry.startswith("world:"):
        rows = entry.removeprefix("world:")
        if not rows.isdigit() or int(rows) < 1:
            raise ValueError(f"training_texts={entry!r}: give a number of rows, such as world:28000.")
        return list(world_texts("train", int(rows)))[1::2]
    if not Path(entry).is_file():
        raise ValueError(f"training_texts={entry!r} is no file; give one with a text a line, or world:N.")
    return [line.strip() for line in Path(entry).read_text(encoding="utf-8").splitlines() if line.strip()]


def _grade(arguments: EvaluationArguments, parts: Sequence[_Part], samples: dict, training: list[str]) -> dict:
    """Grades of every benchmark that gives a beginning, and a judge's marks of every one that asks for them."""
    endpoint = judge_endpoint(arguments)
    reports: dict = {}
    judged = [part.benchmark.name for part in parts if part.benchmark.judge and endpoint]
    for name in judged:
        answers = answers_by_condition(samples[name], arguments.conditions)
        options = {"resamples": arguments.resamples, "seed": arguments.seed}
        reports[name] = [mark_answers(answers, endpoint, seeds=range(arguments.judge_seeds), **options)]
    chosen = [part for part in parts if part.benchmark.prefix_words]
    if not chosen:
        return reports
    graders = programmatic_graders(training or world_reference_texts(2000, 500, seed=0), reference_model(arguments))
    for part in chosen:
        completions = completions_by_condition(samples[part.benchmark.name], arguments.conditions)
        options = {"fewest_items": arguments.fewest_items, "resamples": arguments.resamples, "seed": arguments.seed}
        reports[part.benchmark.name] = [grade_with_rules(completions, graders, **options)]
        if endpoint:
            seeds = range(arguments.judge_seeds)
            reports[part.benchmark.name].append(
                grade_with_judge(completions, endpoint, seeds=seeds, show_truth=arguments.judge_truth, **options)
            )
    return reports


def completions_by_condition(samples: Sequence[Sample], conditions: Sequence[str]) -> dict[str, list[Completion]]:
    """What is to be graded, under each condition: the items that were answered under all of them."""
    answered = [sample for sample in samples if all(condition in sample.said for condition in conditions)]
    return {
        condition: [Completion(s.id, s.prefix, s.said[condition], s.facts, s.truth) for s in answered]
        for condition in conditions
    }


def answers_by_condition(samples: Sequence[Sample], conditions: Sequence[str]) -> dict[str, list[Answered]]:
    """What is to be marked, under each condition: the items with a truth that were answered under all of them."""
    answered = [s for s in samples if s.references and all(condition in s.said for condition in conditions)]
    return {
        condition: [
            Answered(
                s.id,
                s.prompt,
                s.truth,
                s.said[condition],
                tuple(name.strip() for name in (s.group or "").split(",") if name.strip()),
            )
            for s in answered
        ]
        for condition in conditions
    }


def judge_endpoint(arguments: EvaluationArguments) -> ChatEndpoint | None:
    """The judge that the arguments or the environment name, if any."""
    config = EndpointConfig.from_environment(
        arguments.judge_url,
        arguments.judge_model,
        temperature=arguments.judge_temperature,
        timeout=arguments.judge_timeout,
        retries=arguments.judge_retries,
        workers=arguments.judge_workers,
        price_in=arguments.judge_price_in,
        price_out=arguments.judge_price_out,
        cache_dir=str(Path(arguments.output_dir) / "judge_cache"),
    )
    return ChatEndpoint(config) if config else None


def reference_model(arguments: EvaluationArguments) -> ReferenceLM:
    """The reference language model, trained and saved where it is not yet."""
    folder = Path(arguments.reference_lm or Path(arguments.output_dir) / "reference_lm")
    if (folder / "scale.json").is_file():
        return ReferenceLM.load(folder)
    if arguments.reference_texts:
        texts = read_training_texts(arguments.reference_texts)
        random.Random(arguments.seed).shuffle(texts)
    else:
        texts = world_reference_texts()
    print(f"training the reference language model on {len(texts)} texts", flush=True)
    reference = train_reference_lm(texts, seed=arguments.seed)
    reference.save(folder)
    return reference


def summary(results: dict) -> str:
    """The main numbers as text: a line a benchmark and score, a column a condition; then the grades."""
    lines = []
    for name, result in results["benchmarks"].items():
        lost = f", {len(result['problems'])} rows listed as problems" if result["problems"] else ""
        lines.append(f"\n{name}: {result['items']} items{lost}")
        for metric, scores in next(iter(result["scores"].values()), {}).items():
            for score in scores:
                cells = ""
                for condition in results["conditions"]:
                    found = result["scores"][condition].get(metric, {}).get(score)
                    cells += f"{condition:>10} {_cell(found)}"
                lines.append(f"  {score:28}{cells}")
        for control, gain in result["sight"].items():
            lines.append(
                f"  the right picture is worth {gain['gain']:+.4f} {gain['score']} over {control} "
                f"[{gain['low']:+.4f}, {gain['high']:+.4f}]"
            )
    for name, reports in results["grading"].items():
        for report in reports:
            lines.append(f"\n{name}, graded ({report['kind']})\n{grades_table(report)}")
    return "\n".join(lines)


def _cell(score: dict | None) -> str:
    if score is None:
        return f"{'–':24}"
    interval = f"[{score['low']:.3f}, {score['high']:.3f}]" if "low" in score else ""
    return f"{score['value']:>7.4f} {interval:17}"


@parting_together
def main(argv: list[str] | None = None) -> None:
    """Entry point of `recipes/evaluate.py`."""
    from ..training.arguments import parse

    (arguments,) = parse((EvaluationArguments,), argv)
    run_evaluation(arguments)


__all__ = ["EvaluationArguments", "main", "run_evaluation"]
