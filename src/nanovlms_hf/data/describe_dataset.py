"""Any captioned dataset with a short and a long description of each picture, as a `datasets` dataset with a card.

Goes on where it was killed: every finished row is a line of `rows.jsonl` in the output folder, and a row is asked for again only if it
has none. Rows that cannot be used, or that the writer never got right, are counted and listed with their reason.
"""

import hashlib
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets
from datasets import Dataset, DatasetDict, Features, Image, List, Value
from tqdm import tqdm

from ..endpoint import ChatEndpoint, EndpointError, KeyRefused
from .pictures import PictureError, read_header
from .rewriting import FORMS, Rules, check_description, messages, opening

COCO = ("AKCIT/coco2017-captioning", "7b9a3b6a83eea702b2b248830f2662e537b8cfec")
FEATURES = Features(
    {
        "id": Value("string"),
        "image": Image(),
        "captions": List(Value("string")),
        "short": Value("string"),
        "long": Value("string"),
    }
)


@dataclass
class DescribeConfig:
    """What is rewritten, and where the result goes.

    Args:
        output_dir: folder of the dataset and of what is needed to go on.
        path, config_name, data_files, split, revision: the captioned dataset, as in `datasets.load_dataset`; COCO 2017 by default.
        image, captions, id: its columns; captions may be a text or a list of texts, and without `id` the row number is one.
        limit: rows to read, the first ones; all if None.
        validation_fraction: share of the rows that are not held out.
        held_out: rows kept for grading alone; at most a third of all. The paper had 25, which is too few.
        seed: of the splits and the writer.
        name: what the card calls the dataset.
        push_to_hub: repository to push to.
    """

    output_dir: str
    path: str = COCO[0]
    config_name: str | None = None
    data_files: Any = None
    split: str = "train"
    revision: str | None = None
    image: str = "image"
    captions: str = "captions"
    id: str | None = None
    limit: int | None = None
    validation_fraction: float = 0.1
    held_out: int = 200
    seed: int = 0
    name: str = "ShortDesc and LongDesc"
    push_to_hub: str | None = None

    def __post_init__(self):
        if self.path == COCO[0]:
            self.revision = self.revision or COCO[1]
            self.id = self.id or "image_id"
        if not 0 < self.validation_fraction < 1 or self.held_out < 1:
            raise ValueError(
                f"validation_fraction={self.validation_fraction}, held_out={self.held_out}: give a share between 0 and 1 and at "
                "least one row to hold out."
            )


@dataclass
class Report:
    """What became of the rows: finished ones, duplicates left out, and reasons of the others by id."""

    finished: int = 0
    duplicates: int = 0
    failed: dict[str, str] = field(default_factory=dict)

    def sentence(self) -> str:
        """One line for people."""
        reasons = Counter(reason.split(";")[0][:120] for reason in self.failed.values())
        listed = "".join(f"\n  {count} x {reason}" for reason, count in reasons.most_common(10))
        return f"{self.finished} rows described, {self.duplicates} duplicates left out, {len(self.failed)} rows failed{listed}"


@dataclass
class _Row:
    id: str
    number: int
    captions: list[str]


def describe_dataset(
    config: DescribeConfig, endpoint: ChatEndpoint, rules: Rules | None = None
) -> tuple[DatasetDict, Report]:
    """Rewrites the captions of a dataset and saves the result.

    Args:
        config (`DescribeConfig`): what and where.
        endpoint (`ChatEndpoint`): the writer.
        rules (`Rules`, *optional*): what each text has to keep to.

    Returns:
        `tuple[DatasetDict, Report]`: splits `train`, `validation` and `held_out` with `id`, `image`, `captions`, `short` and `long`.

    Raises:
        ValueError: a missing column, fewer than three rows described, or a repository that cannot be pushed to; the rows are
            saved by then.
        EndpointError: the key is refused.
    """
    from ..hub import check_repo_id, push

    if config.push_to_hub:
        check_repo_id(config.push_to_hub)  # before anything is asked for and paid
    rules = rules or Rules()
    folder = Path(config.output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    table = _load(config)
    report = Report()
    rows = _usable_rows(table, config, report)
    done = _read_done(folder / "rows.jsonl")
    done = {row.id: done[row.id] for row in rows if row.id in done}
    for texts in done.values():
        for form in FORMS:
            rules.openings[form][opening(texts[form])] += 1
    _describe_rest([row for row in rows if row.id not in done], done, config, endpoint, rules, report, folder)
    report.finished = len(done)
    (folder / "failed.json").write_text(json.dumps(report.failed, indent=1), encoding="utf-8")
    result = _split(table, [row for row in rows if row.id in done], done, config)
    result.save_to_disk(folder / "dataset")
    card = write_card(result, config, endpoint, report)
    (folder / "dataset" / "README.md").write_text(card, encoding="utf-8")
    if config.push_to_hub:
        push(folder / "dataset", config.push_to_hub)
    return result, report


def _load(config: DescribeConfig) -> Dataset:
    try:
        table = datasets.load_dataset(
            config.path,
            name=config.config_name,
            data_files=config.data_files,
            split=config.split,
            revision=config.revision,
        )
    except (datasets.exceptions.DatasetNotFoundError, ConnectionError) as error:
        raise FileNotFoundError(
            f"the dataset {config.path!r} is no folder here and cannot be fetched from the Hub; correct --path, or connect to "
            "the network."
        ) from error
    absent = [
        column for column in (config.image, config.captions, config.id) if column and column not in table.column_names
    ]
    if absent:
        raise ValueError(f"{config.path!r} has no column {absent}; its columns are {', '.join(table.column_names)}.")
    table = table.cast_column(config.image, Image(decode=False))
    return table.select(range(min(len(table), config.limit))) if config.limit else table


def _usable_rows(table: Dataset, config: DescribeConfig, report: Report) -> list[_Row]:
    """Rows with a picture and captions, each picture once."""
    rows, seen, names = [], set(), set()
    for number, row in enumerate(tqdm(table, desc="reading", mininterval=2, disable=len(table) < 1000)):
        name = str(row[config.id]) if config.id else str(number)
        value = row[config.captions]
        captions = [
            text.strip() for text in ([value] if isinstance(value, str) else value or []) if text and text.strip()
        ]
        try:
            read_header(row[config.image], "the picture")
        except PictureError as error:
            report.failed[name] = str(error)
            continue
        if not captions:
            report.failed[name] = f"the column {config.captions!r} holds no caption"
            continue
        content = row[config.image].get("bytes") or str(row[config.image].get("path")).encode()
        keys = {hashlib.sha256(content).hexdigest(), "\n".join(sorted(text.lower() for text in captions))}
        if keys & seen or name in names:
            report.duplicates += 1
            continue
        seen |= keys
        names.add(name)
        rows.append(_Row(name, number, captions))
    return rows


def _read_done(path: Path) -> dict[str, dict[str, str]]:
    done = {}
    if path.is_file():
        for line in path.read_text(encoding="utf-8").split("\n"):
            try:
                record = json.loads(line)
                done[record["id"]] = {form: record[form] for form in FORMS}
            except (ValueError, KeyError, TypeError):
                continue  # cut off by a kill: asked again
    return done


def _describe_rest(
    rows: list[_Row],
    done: dict,
    config: DescribeConfig,
    endpoint: ChatEndpoint,
    rules: Rules,
    report: Report,
    folder: Path,
) -> None:
    """Asks in groups of as many rows as requests may be in flight; what the rows of a group have in common is seen after it."""
    texts = {texts[form] for texts in done.values() for form in FORMS}
    size = max(1, endpoint.config.workers)
    with (folder / "rows.jsonl").open("a", encoding="utf-8") as file, ThreadPoolExecutor(size) as pool:
        file.write("\n")  # a line that a kill cut off stays a line of its own
        for start in tqdm(range(0, len(rows), size), desc="describing", mininterval=2, disable=len(rows) < 20):
            group = rows[start : start + size]
            answers = list(pool.map(lambda row: _ask(row, endpoint, rules, config.seed), group))
            for row, answer in zip(group, answers, strict=True):
                if isinstance(answer, dict) and not _fits_set(answer, texts, rules):
                    answer = _ask(row, endpoint, rules, config.seed + 1)
                    if isinstance(answer, dict) and not _fits_set(answer, texts, rules):
                        answer = "a text, or its opening, is in the set already"
                if isinstance(answer, str):
                    report.failed[row.id] = answer
                    continue
                done[row.id] = answer
                texts |= set(answer.values())
                for form in FORMS:
                    rules.openings[form][opening(answer[form])] += 1
                file.write(json.dumps({"id": row.id, **answer}) + "\n")
            file.flush()


def _ask(row: _Row, endpoint: ChatEndpoint, rules: Rules, seed: int) -> dict[str, str] | str:
    """Both descriptions of a row, or why there are none."""
    answers = {}
    for form in FORMS:
        check = check_description(form, row.captions, rules)
        try:
            answers[form] = endpoint.ask_json(messages(row.captions, form), seed, check, attempts=4)
        except KeyRefused:
            raise
        except EndpointError as error:
            return f"{form}: {error}"
    return answers


def _fits_set(answer: dict[str, str], texts: set[str], rules: Rules) -> bool:
    if texts & set(answer.values()):
        return False
    return all(rules.openings[form][opening(answer[form])] < rules.same_opening for form in FORMS)


def _lot(config: DescribeConfig, name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{config.seed}/{name}".encode()).digest()[:8])


def _split(table: Dataset, rows: list[_Row], done: dict[str, dict[str, str]], config: DescribeConfig) -> DatasetDict:
    """Splits by a hash of the id, so that a row stays in its split when more rows are added, but for a few held-out ones."""
    if len(rows) < 3:
        raise ValueError(f"{len(rows)} rows were described; at least 3 are needed for train, validation and held_out.")
    drawn = sorted(rows, key=lambda row: _lot(config, row.id))
    held = min(config.held_out, len(drawn) // 3)
    rest = drawn[held:]
    validation = max(1, round(config.validation_fraction * len(rest)))
    parts = {"train": rest[validation:], "validation": rest[:validation], "held_out": drawn[:held]}

    def build(part: list[_Row]) -> Dataset:
        part = sorted(part, key=lambda row: row.number)
        records = [
            {"id": row.id, "image": table[row.number][config.image], "captions": row.captions, **done[row.id]}
            for row in part
        ]
        return Dataset.from_list(records, features=FEATURES)

    return DatasetDict({name: build(part) for name, part in parts.items()})


def write_card(result: DatasetDict, config: DescribeConfig, endpoint: ChatEndpoint, report: Report) -> str:
    """The dataset's card: what it is, where from, how it was written and checked, and what to keep in mind."""
    sizes = "\n".join(f"| {name} | {len(part):,} |" for name, part in result.items())
    example = result["held_out"][0]
    at = f" at revision {config.revision}" if config.revision else ""
    return f"""---
pretty_name: {config.name}
language:
- en
task_categories:
- image-to-text
tags:
- nanovlms
---
# {config.name}

Each picture of `{config.path}` (split `{config.split}`{at}) with a ShortDesc of 20 to 25 words in 2 or 3 sentences and a LongDesc of
60 to 70 words in 5 or 6 sentences, in the words of a child of four or five, in the manner of NanoVLMs (arXiv 2502.07838).

| split | rows |
|---|---|
{sizes}

`held_out` is for grading alone.

## How it was made

`{endpoint.config.model}` read the captions of each picture, never the picture, and wrote both texts. Each text was checked for its number
of words and sentences, easy words (or words of the captions), sentences that begin alike, cries and stock beginnings, and was
asked for again with what was wrong. {report.sentence().splitlines()[0]}.

Short: "{example["short"]}"

Long: "{example["long"]}"

## Known limits

- The writer saw no picture, so a part of each text is not in it.
- Pictures and captions keep the licence of `{config.path}`; check the terms of the model that wrote the texts.
"""


__all__ = ["DescribeConfig", "Report", "describe_dataset", "write_card"]
