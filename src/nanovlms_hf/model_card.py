"""Model cards written from the run: every number comes from a file that the run wrote, and has the command that makes it again.

The sections are plain functions of `RunFacts`; one that has nothing to tell is left out. `write_card` is what `nanovlms card`
calls; the demo and pushes call it too.
"""

import shutil
from pathlib import Path

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from .card_facts import CONTROLS, RunFacts, read_run
from .configuration_nanovlms import NanoVLMsVocabularyConfig

CITATION = """@misc{nanovlms,
  title = {NanoVLMs: How small can we go and still make coherent Vision Language Models?},
  year = {2025},
  eprint = {2502.07838},
  archivePrefix = {arXiv}
}"""
VARY_CITATION = """@misc{vary-toy,
  title = {Small Language Model Meets with Reinforced Vision Vocabulary},
  year = {2024},
  eprint = {2401.12503},
  archivePrefix = {arXiv}
}"""
_COMPONENTS = {
    "vision_tower": "vision tower",
    "vocabulary": "vision vocabulary",
    "connector": "connector",
    "vocabulary_connector": "connector of the vision vocabulary",
    "language_model": "decoder and head",
}


def write_card(folder: str | Path, output: str | Path | None = None, *, name: str | None = None) -> Path:
    """Writes the model card of a finished run.

    Args:
        folder (`str` or `Path`): folder of the stage or demo.
        output (`str` or `Path`, *optional*): file to write; `README.md` in the folder when not given. The loss curves of the
            run's stages are copied beside it.
        name (`str`, *optional*): the model's name; the folder's when not given.

    Raises:
        ValueError: if the folder holds no finished run, or the card's metadata are not valid.
    """
    folder = Path(folder)
    run = read_run(folder, name)
    text, curves = str(model_card(run)), dict(_curves(run))
    path = Path(output) if output else folder / "README.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    for shown, picture in curves.items():
        beside = shown if output is None else f"{path.stem}_{shown}"
        if path.parent / beside != picture:
            shutil.copyfile(picture, path.parent / beside)
        text = text.replace(f"]({shown})", f"]({beside})")
    ModelCard(text).save(path)
    return path


def model_card(run: RunFacts) -> ModelCard:
    """The card of a run, with its scores as `model-index`.

    Raises:
        ValueError: if the metadata do not survive being written and read again.
    """
    data = card_data(run)
    sections = [
        _head(run),
        _use(run),
        _parameters(run),
        _data(run),
        _training(run),
        _scores(run),
        _by_type(run),
        _commands(run),
        _limits(run),
        _rights(run),
    ]
    content = f"---\n{data.to_yaml()}\n---\n\n" + "\n\n".join(section for section in sections if section) + "\n"
    return check_card(ModelCard(content))


def check_card(card: ModelCard) -> ModelCard:
    """The part of the Hub's validation that needs no Hub: metadata are a mapping, and eval results are read back.

    Raises:
        ValueError: if they are not.
    """
    again = ModelCard(str(card))
    if not isinstance(again.data.to_dict(), dict) or not again.data.license:
        raise ValueError("the card has no metadata, or names no licence; the Hub would refuse it.")
    written, read = card.data.eval_results or [], again.data.eval_results or []
    if [result.metric_value for result in written] != [result.metric_value for result in read]:
        raise ValueError("the card's scores cannot be read back from its model-index; the Hub would not show them.")
    return again


def card_data(run: RunFacts) -> ModelCardData:
    """The metadata block: licence, tags, and the scores as eval results."""
    datasets = sorted(
        {source["path"] for source in _sources(run) if "/" in source.get("path", "") and source.get("revision")}
    )
    results = [
        EvalResult(
            task_type="image-text-to-text",
            dataset_type="nanovlms-picture-world" if _is_of_facts(run) else "nanovlms-drawn-rows",
            dataset_name=("NanoVLMs picture world" if _is_of_facts(run) else "NanoVLMs drawn pages, charts and scenes")
            + f", held out{_in_words(score.condition, ', ')}",
            dataset_split="test",
            metric_type=score.name.rsplit("_", 1)[-1],
            metric_name=score.name.replace("_", " ") + _in_words(score.condition, ", "),
            metric_value=score.value,
        )
        for score in run.scores
    ]
    return ModelCardData(
        language="en",
        license="apache-2.0",
        library_name="transformers",
        pipeline_tag="image-text-to-text" if _is_whole(run) else "image-feature-extraction",
        tags=["nanovlms", "custom_code", "tiny"],
        datasets=datasets or None,
        model_name=run.name if results else None,
        eval_results=results or None,
    )


def _is_whole(run: RunFacts) -> bool:
    return hasattr(run.config, "text_config")


def _is_vocabulary(run: RunFacts) -> bool:
    return isinstance(run.config, NanoVLMsVocabularyConfig)


def _has_vocabulary(run: RunFacts) -> bool:
    return _is_vocabulary(run) or getattr(run.config, "vocabulary_config", None) is not None


def _is_of_facts(run: RunFacts) -> bool:
    return all(score.name.startswith("facts_") for score in run.scores)


def _in_words(condition: str, before: str = "") -> str:
    return f"{before}{CONTROLS[condition]}" if condition else ""


def _sources(run: RunFacts) -> list[dict]:
    return [source for stage in run.stages for source in (stage.get("data") or {}).get("sources", [])]


# Sections -------------------------------------------------------------------------------------------------------------


def _head(run: RunFacts) -> str:
    config = run.config
    if _is_vocabulary(run):
        shape = (
            "A vision vocabulary: a high-resolution vision tower that learned from what is written and drawn in its pictures. It makes "
            f"{(config.image_size // config.patch_size) ** 2} tokens of {config.hidden_size} channels from a picture of "
            f"{config.image_size} pixels."
        )
    elif not _is_whole(run):
        shape = (
            f"A vision tower (`{config.model_type}`) that learned from boxes what each patch shows, without a decoder."
        )
    else:
        second = (
            f"a vision vocabulary for the same at {config.vocabulary_config.image_size} pixels, joined by "
            f"{config.vocabulary_join}, "
            if _has_vocabulary(run)
            else ""
        )
        shape = (
            f"A tiny vision-language model: a `{config.vision_config.model_type}` tower for pictures of "
            f"{config.vision_config.image_size} pixels, {second}a `{config.connector}` connector that gives the decoder "
            f"{config.image_seq_length} tokens a picture, and a `{config.text_config.model_type}` decoder."
        )
    return f"# {run.name}\n\n{shape} Every number on this card was measured by the run that made these weights."


def _use(run: RunFacts) -> str:
    if _is_vocabulary(run):
        return _use_of_vocabulary(run)
    if not _is_whole(run):
        return ""
    return f"""## Use

```python
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

repository = "OWNER/{run.name}"  # or a folder; pin revision="..." to a commit whose code you have read
model = AutoModelForImageTextToText.from_pretrained(repository, trust_remote_code=True)
processor = AutoProcessor.from_pretrained(repository, trust_remote_code=True)
chat = [{{"role": "user", "content": [{{"type": "image"}}, {{"type": "text", "text": "Describe the picture."}}]}}]
text = processor.apply_chat_template(chat, add_generation_prompt=True)
inputs = processor(text=text, images=Image.open("picture.png"), return_tensors="pt")
answer = model.generate(**inputs)[0, inputs["input_ids"].shape[1] :]
print(processor.decode(answer, skip_special_tokens=True))
```

The `*_nanovlms.py` files in the repository hold the classes. With `import nanovlms_hf` the package's own are used, and
no code of the repository is run."""


def _use_of_vocabulary(run: RunFacts) -> str:
    return f"""## Use

```python
from PIL import Image
from transformers import AutoImageProcessor, AutoModel

repository = "OWNER/{run.name}"  # or a folder; pin revision="..." to a commit whose code you have read
vocabulary = AutoModel.from_pretrained(repository, trust_remote_code=True)
processor = AutoImageProcessor.from_pretrained(repository, trust_remote_code=True)
tokens = vocabulary(**processor(Image.open("page.png"), return_tensors="pt")).last_hidden_state
```

Merged into a model: `recipes/pretrain.py --vocabulary OWNER/{run.name}`."""


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _parameters(run: RunFacts) -> str:
    counts = run.parameters
    measured = "trainable" in counts
    rows = []
    for name, part in counts["components"].items():
        row = [_COMPONENTS.get(name, name.replace("_", " ")), f"{part['total']:,}"]
        rows.append([*row, f"{part['trainable']:,}", f"{part['total'] - part['trainable']:,}"] if measured else row)
    whole = ["all", f"{counts['total']:,}"]
    rows.append([*whole, f"{counts['trainable']:,}", f"{counts['frozen']:,}"] if measured else whole)
    head = ["part", "parameters", *(["trained in the last stage", "frozen in the last stage"] if measured else [])]
    note = (
        f"Of these, {counts['embedding']:,} are token and position tables and the head" if counts["embedding"] else ""
    )
    tied = ", which shares the token table." if getattr(run.config, "tie_word_embeddings", False) else "."
    return f"## Parameters\n\n{_table(head, rows)}" + (f"\n\n{note}{tied}" if note else "")


def _data(run: RunFacts) -> str:
    lines = []
    for stage in run.stages:
        data = stage.get("data") or {}
        rows = f"{data['train_rows']:,} rows" if data.get("train_rows") else ""
        if "picture_world" in data:
            world = data["picture_world"]
            settings = {
                "world": world["world"],
                **{
                    key: value
                    for key, value in data.items()
                    if key not in ("picture_world", "train_rows", "validation_rows")
                },
            }
            told = "; ".join(f"{key} `{value}`" for key, value in settings.items() if value)
            lines.append(
                f"- `{stage['name']}`: {rows} of the built-in picture world, seed {world['seed']}{'; ' + told if told else ''}. "
                f"Drawn by this package ({_code(stage)}), licence {world['license']}."
            )
        if "parts" in data:
            parts = ", ".join(f"{part['name']} ({part['kind']}, {part['share']:.1%})" for part in data["parts"])
            lines.append(
                f"- `{stage['name']}`: {rows} of a mixture, seed {data['seed']}: {parts}. All but sources is drawn by this "
                f"package ({_code(stage)}), licence apache-2.0."
            )
        for source in data.get("sources", []):
            revision = f" at revision `{source['revision']}`" if source.get("revision") else ""
            licence = source.get("license") or "not stated by the source entry"
            credit = f" {source['attribution']}." if source.get("attribution") else ""
            lines.append(
                f"- `{stage['name']}`: {source['name']} (`{source['path']}`, split `{source.get('split', 'train')}`{revision}), "
                f"licence: {licence}.{credit}"
            )
        if data.get("sources") and rows and "parts" not in data:
            lines.append(f"- `{stage['name']}`: {rows} of these in all.")
    return "## Data\n\n" + "\n".join(lines) if lines else ""


def _code(stage: dict) -> str:
    code = stage.get("code") or {}
    commit = f", commit `{code['commit']}`" if code.get("commit") else ""
    return f"nanovlms_hf {code.get('nanovlms_hf', '')}{commit}".strip()


# Column of the training table: heading, and what a stage's summary says.
_COLUMNS = {
    "steps": lambda stage: f"{stage['optimizer_steps']:,}",
    "pictures": lambda stage: f"{stage['images_seen']:,}",
    "batch": lambda stage: f"{stage['batch_size']}",
    "seconds": lambda stage: f"{stage['train_seconds']:,}",
    "pictures a second": lambda stage: f"{stage['images_per_second']:,}",
    "peak memory, MiB": lambda stage: ", ".join(
        f"{value:,} {kind}" for kind, value in stage["peak_memory_mib"].items()
    ),
    "device": lambda stage: f"{stage.get('hardware') or stage['device']}, {stage['processes']} process(es)",
    "seed": lambda stage: f"{stage['seed']}",
    "last training loss": lambda stage: f"{stage['final_train_loss']:.4f}",
    "best validation loss": lambda stage: f"{stage['best_validation_loss']:.4f}",
}


def _training(run: RunFacts) -> str:
    if not run.stages:
        return ""
    cells = {heading: [_cell(stage, tell) for stage in run.stages] for heading, tell in _COLUMNS.items()}
    told = {heading: column for heading, column in cells.items() if any(column)}
    rows = [[stage["name"], *(column[index] for column in told.values())] for index, stage in enumerate(run.stages)]
    notes = ["Peak memory is that of the first process."] if "peak memory, MiB" in told else []
    notes += [
        f"`{stage['name']}`, accuracy of each dense target on held-out pictures: "
        + ", ".join(f"{task} {value:.4f}" for task, value in stage["accuracy"].items())
        + "."
        for stage in run.stages
        if stage.get("accuracy")
    ]
    versions = [stage["versions"] for stage in run.stages if stage.get("versions")]
    if versions:
        notes.append("Made with " + ", ".join(f"{name} {version}" for name, version in versions[-1].items()) + ".")
    curves = [f"![{Path(name).stem.replace('_', ' ')}]({name})" for name, _ in _curves(run)]
    return "\n\n".join([f"## Training\n\n{_table(['stage', *told], rows)}", *notes, *curves])


def _cell(stage: dict, tell) -> str:
    try:
        return tell(stage)
    except (KeyError, TypeError, AttributeError):  # the run did not measure it
        return ""


def _curves(run: RunFacts) -> list[tuple[str, Path]]:
    """What a loss curve is called beside the card, and where it lies."""
    own = run.folder / "loss_curve.png"
    if own.is_file() and len(run.stages) == 1:
        return [("loss_curve.png", own)]
    pictures = [(stage["name"], run.folder / "stages" / stage["name"] / "loss_curve.png") for stage in run.stages]
    return [(f"loss_curve_{name}.png", path) for name, path in pictures if path.is_file()]


def _scores(run: RunFacts) -> str:
    if not run.scores:
        return ""
    rows = []
    for score in run.scores:
        interval = f"{score.interval[0]:.4f} to {score.interval[1]:.4f}" if score.interval else ""
        rows.append(
            [
                score.name.replace("_", " "),
                _in_words(score.condition) or "the right picture",
                f"{score.value:.4f}",
                interval,
            ]
        )
    if not any(row[3] for row in rows):
        rows, head = [row[:3] for row in rows], ["score", "the model is given", "value"]
        note = ""
    else:
        head = ["score", "the model is given", "value", "95 % interval"]
        note = " Intervals are bootstrap intervals over pictures; they do not cover the training seed."
    if not _is_of_facts(run):
        return f"## Measurements\n\n{_about_reading(run)}{note}\n\n{_table(head, rows)}"
    pictures = f"{run.metrics['pictures']} held-out pictures" if run.metrics.get("pictures") else "Held-out pictures"
    styles = f"; {run.metrics['style_pictures']} for the unseen styles" if run.metrics.get("style_pictures") else ""
    about = (
        f"{pictures}{styles}. A fact is a statement about kind, colour, size, count, relation or setting that the picture proves "
        "true or false; blank and shuffled pictures are the controls that show whether the model looks."
    )
    return f"## Measurements\n\n{about}{note}\n\n{_table(head, rows)}"


def _about_reading(run: RunFacts) -> str:
    rows = run.metrics.get("rows_per_part")
    by = "by the decoder that it was trained with " if _is_vocabulary(run) else ""
    return (
        f"{rows or 'Held-out'} {'held-out rows of each part' if rows else 'rows'}, read out {by}and compared with what was drawn. `cer` and "
        "`wer` are error rates of characters and words, `ned` an edit distance (less is better); for boxes the overlap that counts "
        "is in the name. Blank pictures are the control that shows whether the model looks."
    )


def _by_type(run: RunFacts) -> str:
    types = run.metrics.get("by_type")
    if not types:
        return ""
    rows = [
        [
            name,
            *(f"{counts[key]:.4f}" for key in ("precision", "recall", "f1")),
            f"{counts['stated']:,}",
            f"{counts['wanted']:,}",
        ]
        for name, counts in types.items()
    ]
    return "By type of fact, the right picture given:\n\n" + _table(
        ["type", "precision", "recall", "F1", "stated", "to be told"], rows
    )


def _commands(run: RunFacts) -> str:
    """The command behind each group of numbers, where the run noted it."""
    lines = ["- Parameters: `nanovlms card FOLDER` counts them on the configuration."]
    for stage in run.stages:
        if stage.get("command"):
            launch = f"accelerate launch --num_processes {stage['processes']} {stage['command']}"
            lines.append(f"- Training, `{stage['name']}` ({_code(stage)}): `{launch}`")
    if run.scores and run.metrics.get("command"):
        lines.append(f"- Measurements ({_code(run.metrics)}): `{run.metrics['command']}`")
    return "## How to make these numbers again\n\n" + "\n".join(lines)


def _limits(run: RunFacts) -> str:
    world_alone = run.stages and all("picture_world" in (stage.get("data") or {}) for stage in run.stages)
    facts_alone = not run.stages and any("facts" in score.name for score in run.scores)
    if world_alone or facts_alone:
        knows = (
            "It has seen drawn pictures of one small world and nothing else. A photograph, a page or a drawing of anything that is not "
            "in that world gets a fluent and confident description of things that are not there."
        )
    elif run.stages and all(_is_drawn(stage.get("data") or {}) for stage in run.stages):
        knows = (
            "It has seen nothing but what this package draws: pages, charts and scenes of one small world. A photograph or a scanned page "
            "gets fluent and confident words that are not there."
        )
    else:
        knows = (
            "It knows what its training data showed. Other pictures get fluent and confident descriptions of things that are not "
            "there."
        )
    return (
        "## Intended use and limits\n\nMeant for research, teaching and tests: to see how small a vision-language model can be, and to "
        f"try tools on a real model that trains and runs on a CPU. {knows} It is not meant for decisions about people, for safety, "
        "or for any use in which a wrong word does harm. It speaks English only."
    )


def _is_drawn(data: dict) -> bool:
    return "picture_world" in data or ("parts" in data and not data.get("sources"))


def _rights(run: RunFacts) -> str:
    follows, citation = "NanoVLMs", CITATION
    if _has_vocabulary(run):
        follows, citation = "NanoVLMs, and its vision vocabularies Vary-toy", f"{CITATION}\n\n{VARY_CITATION}"
    return f"## Licence and citation\n\nWeights and code: Apache-2.0. The family follows {follows}:\n\n```bibtex\n{citation}\n```"


__all__ = ["card_data", "check_card", "model_card", "write_card"]
