"""Dataset cards written from the rows: counts and columns are read from what is pushed, licences from what its makers said."""

from datasets import DatasetDict
from huggingface_hub import DatasetCard, DatasetCardData, HfApi
from huggingface_hub.repocard import RepoCard


def dataset_card(
    splits: DatasetDict, repo_id: str, about: dict | None = None, existing: RepoCard | None = None
) -> DatasetCard:
    """The card of pictures and chats.

    Args:
        splits (`DatasetDict`): the rows.
        repo_id (`str`): the repository.
        about (`dict`, *optional*): `training.measuring.describe_data` of the data.
        existing (`RepoCard`, *optional*): card whose metadata stay, such as the file layout that `datasets` wrote.
    """
    about = about or {}
    sources = about.get("sources", [])
    world = about.get("picture_world")
    licences = sorted({source["license"] for source in sources if source.get("license")})
    data = existing.data.to_dict() if existing else {}
    data |= {"language": ["en"], "tags": ["nanovlms"], "task_categories": ["image-text-to-text"]}
    if world:
        data["license"] = world["license"]
    elif licences:
        data["license"] = "other"
    name = repo_id.split("/")[-1]
    rows = "\n".join(
        f"| {split} | {len(table):,} | {', '.join(table.column_names)} |" for split, table in splits.items()
    )
    parts = [
        f"# {name}",
        "Pictures and chats about them, one conversation a row: `images` holds the pictures in the order of the image blocks in "
        "`messages`."
        if {"images", "messages"} <= set(next(iter(splits.values())).column_names)
        else "",
        f"| split | rows | columns |\n| --- | --- | --- |\n{rows}",
        _origin(world, sources, about),
    ]
    card = DatasetCard("---\nlicense: other\n---\n")
    card.data = DatasetCardData(**data)
    card.text = "\n" + "\n\n".join(part for part in parts if part) + "\n"
    return card


def _origin(world: dict | None, sources: list[dict], about: dict) -> str:
    lines = []
    if world:
        settings = {"world": world["world"], "mixture": about.get("mixture")}
        told = "; ".join(f"{key} `{value}`" for key, value in settings.items() if value)
        lines.append(
            f"- Drawn and described by nanovlms_hf, seed {world['seed']}{'; ' + told if told else ''}. Every statement is true of its "
            f"picture. Licence {world['license']}."
        )
    for source in sources:
        revision = f" at revision `{source['revision']}`" if source.get("revision") else ""
        credit = f" {source['attribution']}." if source.get("attribution") else ""
        lines.append(
            f"- {source['name']} (`{source['path']}`{revision}), licence: {source.get('license', 'not stated')}.{credit}"
        )
    return "## Where it comes from\n\n" + "\n".join(lines) if lines else ""


def written_card(text: str, existing: RepoCard) -> DatasetCard:
    """A card that was written with the rows, with the metadata of the one in the repository below its own."""
    card = DatasetCard(text, ignore_metadata_errors=True)
    card.data = DatasetCardData(**(existing.data.to_dict() | card.data.to_dict()))
    return card


def write_dataset_card(
    api: HfApi, repo_id: str, splits: DatasetDict, about: dict | None, revision: str | None, text: str | None = None
):
    """Puts the card into a dataset repository, keeping the metadata that are there.

    Args:
        api (`HfApi`): the client.
        repo_id, splits, about: as for `dataset_card`.
        revision (`str`, *optional*): branch.
        text (`str`, *optional*): a card that was written with the rows, which is taken instead of a new one.

    Returns:
        `CommitInfo`: the commit.
    """
    path = api.hf_hub_download(repo_id, "README.md", repo_type="dataset", revision=revision)
    existing = RepoCard.load(path, repo_type="dataset", ignore_metadata_errors=True)
    card = written_card(text, existing) if text else dataset_card(splits, repo_id, about, existing)
    return api.upload_file(
        path_or_fileobj=str(card).encode(),
        path_in_repo="README.md",
        repo_id=repo_id,
        repo_type="dataset",
        revision=revision,
        commit_message="Write the card",
    )


__all__ = ["dataset_card", "write_dataset_card", "written_card"]
