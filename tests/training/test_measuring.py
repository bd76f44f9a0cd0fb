"""What a stage says of its data."""

from nanovlms_hf.training.arguments import DataArguments
from nanovlms_hf.training.measuring import describe_data


def test_a_mixture_of_entries_is_told_part_by_part(tmp_path):
    source = tmp_path / "cats.yaml"
    source.write_text(
        'name: cats\npath: someone/cats\nrevision: abc123\nlicense: CC BY 4.0\nstreaming: true\nmessages:\n  - user: "Describe it."\n  - assistant: "{caption}"\n'
    )
    entries = [
        {"name": "pages", "weight": 2, "documents": {"columns": [1]}},
        {"name": "cats", "weight": 1, "source": {"file": str(source)}},
        {"name": "more", "weight": 1, "seed": 4, "source": str(source)},
    ]
    told = describe_data(DataArguments(mixture=entries, world_seed=7, train_rows=40), 40, 2)
    assert told["seed"] == 7
    assert told["parts"] == [
        {"name": "pages", "kind": "documents", "share": 0.5, "options": {"columns": [1]}},
        {"name": "cats", "kind": "source", "share": 0.25},
        {"name": "more", "kind": "source", "share": 0.25},
    ]
    assert [(row["path"], row["revision"], row["license"]) for row in told["sources"]] == [
        ("someone/cats", "abc123", "CC BY 4.0")
    ] * 2
    assert (told["train_rows"], told["validation_rows"]) == (40, 2)


def test_the_picture_world_is_told_with_its_conversations():
    told = describe_data(DataArguments(mixture={"short": 1.0}, train_rows=40), 40, 0)
    assert told["picture_world"]["seed"] == 0 and told["mixture"] == {"short": 1.0}
