"""A dataset that `nanovlms describe-dataset` made goes up with its own card and comes back row by row."""

import json
from io import BytesIO

from datasets import Dataset, Features, Image, List, Value
from loopback_api import Api, serve
from loopback_hub import READ_TOKEN
from PIL import Image as Picture

SHORT = "A {name} sits on the green grass and has a lot of fun. The sun is warm and the sky is so blue today."
LONG = (
    "A {name} sits on the green grass in the warm sun. My mum says that it is a good friend to all of us. The sky is so blue that I "
    "want to fly up and touch it. Maybe we can play with a big red ball until it is dark. Then the {name} goes home to sleep, and I "
    "will dream of it all night long."
)
NAMES = "cat dog cow pig duck hen".split()


def answer(body) -> str:
    asked = body["messages"][1]["content"]
    name = asked.split("- ")[1].split()[0].lower()
    return json.dumps({"description": (SHORT if "20 to 25" in asked else LONG).format(name=name)})


def png(colour) -> dict:
    buffer = BytesIO()
    Picture.new("RGB", (8, 8), colour).save(buffer, "PNG")
    return {"bytes": buffer.getvalue(), "path": None}


def captioned(folder):
    features = Features({"image": Image(), "captions": List(Value("string"))})
    images = [png((40 * k, 10, 10)) for k in range(len(NAMES))]
    rows = {"image": images, "captions": [[f"{name} on grass."] for name in NAMES]}
    Dataset.from_dict(rows, features=features).to_parquet(folder / "captions.parquet")
    return str(folder / "captions.parquet")


# In the process that knows the server ---------------------------------------------------------------------------------


def describe(data, folder, repository, url, token=None):
    """Exit code and last line on stderr of the command."""
    import os
    from contextlib import redirect_stderr
    from io import StringIO

    from nanovlms_hf.cli import main

    own = os.environ["HF_TOKEN"]
    os.environ["HF_TOKEN"] = token or own
    flags = ["--path", "parquet", "--data-files", data, "--held-out", "2", "--push-to-hub", repository]
    try:
        with redirect_stderr(StringIO()) as said:
            code = main(
                ["describe-dataset", folder, *flags, "--base-url", url, "--model", "writer-1", "--workers", "2"]
            )
        return code, (said.getvalue().splitlines() or [""])[-1]
    finally:
        os.environ["HF_TOKEN"] = own


def come_back(repository):
    import numpy as np
    from datasets import load_dataset

    found = load_dataset(repository)
    return {
        name: [
            (row["id"], row["short"], row["long"], row["captions"], np.asarray(row["image"]).tolist()) for row in rows
        ]
        for name, rows in found.items()
    }


def kept(folder):
    import numpy as np
    from datasets import load_from_disk

    found = load_from_disk(folder)
    return {
        name: [
            (row["id"], row["short"], row["long"], row["captions"], np.asarray(row["image"]).tolist()) for row in rows
        ]
        for name, rows in found.items()
    }


def test_a_described_dataset_is_pushed_with_its_card(hub, elsewhere, tmp_path):
    data = captioned(tmp_path)
    with serve(Api()) as api:
        api.answer = answer
        assert elsewhere(describe, data, str(tmp_path / "out"), "tester/described", api.url)[0] == 0
    here = kept(str(tmp_path / "out" / "dataset"))
    assert {name: len(rows) for name, rows in here.items()} == {"train": 3, "validation": 1, "held_out": 2}
    assert elsewhere(come_back, "tester/described") == here
    files = hub.repositories.files(hub.repositories.read("datasets", "tester/described"), "main")
    card = hub.repositories.content_path(files["README.md"]["sha256"]).read_text()
    assert "`writer-1` read the captions of each picture" in card and "| held_out | 2 |" in card
    assert "data_files" in card and "dataset_info" in card  # the layout that `datasets` wrote is still there
    assert "task_categories:\n- image-to-text" in card


def test_a_push_that_is_refused_says_so_and_the_rows_are_kept(hub, elsewhere, tmp_path):
    data = captioned(tmp_path)
    with serve(Api()) as api:
        api.answer = answer
        code, said = elsewhere(describe, data, str(tmp_path / "bad"), "no such name!", api.url)
        assert code == 2 and "is no name of a repository" in said and not api.bodies  # before anything was asked for
        code, said = elsewhere(describe, data, str(tmp_path / "out"), "other/described", api.url, READ_TOKEN)
        assert code == 2 and "the token may not write to other/described" in said and READ_TOKEN not in said
    assert sum(len(rows) for rows in kept(str(tmp_path / "out" / "dataset")).values()) == 6
