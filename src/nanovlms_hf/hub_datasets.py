"""Datasets on the Hub: rows with pictures in parquet, and a card that says what they are."""

from pathlib import Path
from tempfile import TemporaryDirectory

from datasets import Dataset, DatasetDict, Features, Image, List, Value, load_from_disk
from huggingface_hub import HfApi

from .dataset_card import write_dataset_card
from .folders import Folder

FEATURES = Features(
    {
        "images": List(Image()),
        "messages": List(
            {"role": Value("string"), "content": List({"type": Value("string"), "text": Value("string")})}
        ),
    }
)


def materialise(dataset: Dataset, cache_dir: str | Path | None = None) -> Dataset:
    """A dataset that draws its rows when they are read, as one that holds them.

    Without this only the column of indices would go up. A dataset that holds its rows is returned as it is.

    Args:
        dataset (`Dataset`): e.g. of `world_dataset`.
        cache_dir (`str` or `Path`, *optional*): where the rows are kept; the datasets library's cache when not given.
    """
    if dataset.format["type"] != "custom":
        return dataset

    def rows():
        for row in dataset:
            # Every part of a message needs the same keys in a table.
            messages = [
                {
                    **message,
                    "content": [{"type": part["type"], "text": part.get("text")} for part in message["content"]],
                }
                for message in row["messages"]
            ]
            yield {"images": row["images"], "messages": messages}

    options = {"cache_dir": str(cache_dir)} if cache_dir else {}
    return Dataset.from_generator(rows, features=FEATURES, **options)


def push_dataset(
    dataset: Dataset | DatasetDict,
    repo_id: str,
    *,
    about: dict | None = None,
    private: bool | None = None,
    revision: str | None = None,
    message: str | None = None,
    token: str | None = None,
    card: str | None = None,
):
    """Pushes rows and a card to the Hub.

    Args:
        dataset (`Dataset` or `DatasetDict`): rows; those that are drawn on the fly are drawn and stored.
        repo_id (`str`): `owner/name`.
        about (`dict`, *optional*): what `training.measuring.describe_data` says of the data, for the card.
        private, revision, message, token: as in `hub.push`.
        card (`str`, *optional*): a card that was written with the rows; one is made of them when not given.

    Returns:
        `CommitInfo`: the last commit, which holds the card.
    """
    splits = dataset if isinstance(dataset, DatasetDict) else DatasetDict({str(dataset.split or "train"): dataset})
    api = HfApi(token=token)
    with TemporaryDirectory() as scratch:
        splits = DatasetDict({name: materialise(rows, scratch) for name, rows in splits.items()})
        api.create_repo(repo_id, repo_type="dataset", private=private, exist_ok=True)
        if revision is not None and revision != "main":
            api.create_branch(repo_id, repo_type="dataset", branch=revision, exist_ok=True)
        splits.push_to_hub(
            repo_id, private=private, revision=revision, token=token, commit_message=message or "Upload dataset"
        )
        return write_dataset_card(api, repo_id, splits, about, revision, card)


def dataset_folder(folder: Path) -> Folder:
    """A folder written by `save_to_disk`, ready to be pushed as parquet, with its own README.md where it has one."""
    dataset = load_from_disk(str(folder))
    readme = folder / "README.md"
    card = readme.read_text(encoding="utf-8") if readme.is_file() else None

    def go(repo_id, private, revision, message, token):
        options = {"private": private, "revision": revision, "message": message, "token": token}
        return push_dataset(dataset, repo_id, card=card, **options)

    return Folder("dataset", "dataset", push=go)


__all__ = ["FEATURES", "dataset_folder", "materialise", "push_dataset"]
