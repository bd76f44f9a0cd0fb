"""Small datasets of solid colours, shared by the tests of real data."""

import io

import datasets
from datasets import Dataset, Features, Value
from PIL import Image

from nanovlms_hf.data.sources import convert_dataset, parse_source_config

PICTURE = {"type": "image", "text": None}


def text(content):
    return {"type": "text", "text": content}


def talk(*turns):
    return [{"role": role, "content": list(blocks)} for role, *blocks in turns]


def png(color="red", size=(4, 3), mode="RGB"):
    buffer = io.BytesIO()
    Image.new(mode, size, color).save(buffer, "PNG")
    return {"bytes": buffer.getvalue(), "path": None}


def write_parquet(path, columns, **features):
    features = Features(
        {
            name: features.get(name) or datasets.Dataset.from_dict({name: values}).features[name]
            for name, values in columns.items()
        }
    )
    Dataset.from_dict(columns, features=features).to_parquet(path)


def config(folder=".", **changes):
    mapping = {
        "name": "toy",
        "path": "parquet",
        "data_files": "toy.parquet",
        "messages": [{"user": "Describe it."}, {"assistant": "{text}"}],
        **changes,
    }
    return parse_source_config({key: value for key, value in mapping.items() if value is not ...}, folder)


def toy(folder, texts=("one", "two", "three"), **columns):
    count = len(texts)
    colors = ["red", "lime", "blue", "white", "black"]
    data = {"image": [png(colors[i % 5]) for i in range(count)], "text": list(texts), **columns}
    write_parquet(folder / "toy.parquet", data, image=datasets.Image(), text=Value("string"))
    return folder


def in_memory(columns, features=None, **changes):
    """Rows of a dataset that needs no file."""
    changes = {"path": "parquet", "data_files": "none.parquet", **changes}
    return list(convert_dataset(Dataset.from_dict(columns, features=features), config(**changes))[0])


def answers(dataset):
    return [row["messages"][-1]["content"][0]["text"] for row in dataset]
