"""Small files in the schemas of the Hub's benchmarks: as many rows as it takes to show each trap, written as Parquet folders."""

from pathlib import Path

import datasets
from datasets import ClassLabel, Dataset, Features, Image, List, Value
from PIL import Image as PILImage

from nanovlms_hf.data.pictures import encode_png


def png(colour: str) -> dict:
    return {"bytes": encode_png(PILImage.new("RGB", (20, 10), colour)), "path": None}


TEXT, TEXTS, NUMBER = Value("string"), List(Value("string")), Value("int64")
RED, BLUE, GREEN = png("red"), png("blue"), png("lime")
BROKEN = {"bytes": b"no picture at all", "path": None}
_SEVEN = {f"image_{number}": Image() for number in range(1, 8)}


def _mmmu(options: int, subject: str) -> tuple[dict, Features]:
    texts = [f"thing {number}" for number in range(options)]
    empty = {f"image_{number}": [None] * 4 for number in range(2, 8)}
    columns = {
        "id": ["a_1", "a_2", "a_3", "a_4"],
        "question": [
            "What is in <image 1>?",
            "Compare <image 1> and <image 2>.",
            "What is in <image 1>?",
            "Is <image 1> a <image>?",
        ],
        "options": [str(texts), str(["<image 1>", *texts[1:]]), "[broken", str(texts)],
        "explanation": ["?"] * 4,
        "image_1": [RED, RED, RED, BLUE],
        **empty,
        "image_2": [None, BLUE, None, None],
        "answer": ["B", "A", "A", "A"],
        subject: ["Art"] * 4,
    }
    named = dict.fromkeys(("id", "question", "options", "explanation", "answer", subject), TEXT)
    return columns, Features({name: _SEVEN.get(name) or named[name] for name in columns})


def schemas() -> dict[str, tuple[str | None, dict[str, tuple[dict, Features]]]]:
    """benchmark -> (configuration, split -> (columns, features))."""
    found: dict = {}
    found["docvqa"] = (
        "DocVQA",
        {
            "validation": (
                {
                    "questionId": ["1", "2", "3", "4"],
                    "question": ["What is the date?", "Who signs?", "Total?", None],
                    "question_types": [["form"]] * 4,
                    "image": [RED, BLUE, None, GREEN],
                    "docId": [1, 2, 3, 4],
                    "answers": [["1 May", "May 1"], None, ["42"], ["x"]],
                    "data_split": ["val"] * 4,
                },
                Features(
                    questionId=TEXT,
                    question=TEXT,
                    question_types=TEXTS,
                    image=Image(),
                    docId=NUMBER,
                    answers=TEXTS,
                    data_split=TEXT,
                ),
            )
        },
    )
    found["chartqa"] = (
        None,
        {
            "test": (
                {
                    "type": ["human_test", "augmented_test", "human_test"],
                    "question": ["How many?", "Which?", "What?"],
                    "answer": ["10", "Blue", "3"],
                    "image": [RED, BLUE, BROKEN],
                },
                Features(type=TEXT, question=TEXT, answer=TEXT, image=Image()),
            )
        },
    )
    found["textvqa"] = (
        None,
        {
            "validation": (
                {
                    "image_id": ["i"],
                    "question_id": [34602],
                    "question": ["what is the brand?"],
                    "image": [RED],
                    "answers": [["nokia"] * 9 + ["toshiba"]],
                    "ocr_tokens": [["NOKIA"]],
                },
                Features(
                    image_id=TEXT, question_id=NUMBER, question=TEXT, image=Image(), answers=TEXTS, ocr_tokens=TEXTS
                ),
            )
        },
    )
    found["ocrbench"] = (
        None,
        {
            "test": (
                {
                    "dataset": ["IIIT5K", "HME100k"],
                    "question": ["what is written?", "Write the formula."],
                    "question_type": ["Regular Text Recognition", "Handwritten Mathematical Expression Recognition"],
                    "answer": [["CENTRE"], ["x ^ 2"]],
                    "image": [RED, BLUE],
                },
                Features(dataset=TEXT, question=TEXT, question_type=TEXT, answer=TEXTS, image=Image()),
            )
        },
    )
    refer = (
        {
            "question_id": ["7", "8"],
            "image": [RED, BLUE],
            "question": ["Please provide a short description."] * 2,
            "answer": [["left man", "man in red"], ["dog"]],
            "bbox": [[2.0, 1.0, 10.0, 5.0], [15.0, 2.0, 50.0, 5.0]],
            "iscrowd": [0, 0],
            "file_name": ["a.jpg", "b.jpg"],
        },
        Features(
            question_id=TEXT,
            image=Image(),
            question=TEXT,
            answer=TEXTS,
            bbox=List(Value("float32")),
            iscrowd=NUMBER,
            file_name=TEXT,
        ),
    )
    for name, splits in (
        ("refcoco", ("val", "testA", "testB")),
        ("refcoco_plus", ("val", "testA", "testB")),
        ("refcocog", ("val", "test")),
    ):
        found[name] = (None, dict.fromkeys(splits, refer))
    found["mmvet"] = (
        None,
        {
            "test": (
                {
                    "question_id": ["v1_0"],
                    "image": [RED],
                    "question": ["What is x in the equation?"],
                    "answer": ["-1<AND>-5"],
                    "image_source": ["web"],
                    "capability": ["ocr,math"],
                },
                Features(
                    question_id=TEXT, image=Image(), question=TEXT, answer=TEXT, image_source=TEXT, capability=TEXT
                ),
            )
        },
    )
    found["mmstar"] = (
        None,
        {
            "val": (
                {
                    "index": [0, 1],
                    "question": [
                        "Which colour?\nOptions: A: Red, B: Dark blue, C: Green, D: None, of these",
                        "Which one?\nOptions: as in the picture",
                    ],
                    "image": [RED, BLUE],
                    "answer": ["B", "D"],
                    "category": ["coarse perception", "math"],
                    "l2_category": ["a", "b"],
                },
                Features(index=NUMBER, question=TEXT, image=Image(), answer=TEXT, category=TEXT, l2_category=TEXT),
            )
        },
    )
    columns, features = _mmmu(4, "subfield")
    columns["question_type"] = ["multiple-choice"] * 3 + ["open"]
    found["mmmu"] = (None, {"validation": (columns, Features({**features, "question_type": TEXT}))})
    found["mmmu_pro_4"] = ("standard (4 options)", {"test": _mmmu(4, "subject")})
    found["mmmu_pro_10"] = ("standard (10 options)", {"test": _mmmu(10, "subject")})
    found["mmmu_pro_vision"] = (
        "vision",
        {
            "test": (
                {
                    "id": ["v1"],
                    "image": [RED],
                    "options": [str([f"o{k}" for k in range(10)])],
                    "answer": ["J"],
                    "subject": ["Art"],
                },
                Features(id=TEXT, image=Image(), options=TEXT, answer=TEXT, subject=TEXT),
            )
        },
    )
    found["mmt_bench"] = (
        None,
        {
            "val": (
                {
                    "index": [0, 1],
                    "question": ["Which animal?", "Which tool?"],
                    "image": [RED, BLUE],
                    "answer": ["C", "D"],
                    **{letter: ["x" + letter, None if letter > "C" else "y" + letter] for letter in "ABCDEFGHI"},
                    "l2-category": ["recognition"] * 2,
                    "split": ["VAL"] * 2,
                },
                Features(
                    index=NUMBER,
                    question=TEXT,
                    image=Image(),
                    answer=TEXT,
                    **dict.fromkeys("ABCDEFGHI", TEXT),
                    **{"l2-category": TEXT},
                    split=TEXT,
                ),
            )
        },
    )
    found["scienceqa"] = (
        "ScienceQA-IMG",
        {
            "test": (
                {
                    "image": [RED, BLUE],
                    "question": ["Which is warm?", "Which is cold?"],
                    "choices": [["ice", "fire"], ["ice", "fire", "tea"]],
                    "answer": [1, 0],
                    "hint": ["", "Ice is frozen water."],
                    "subject": ["natural science", "natural science"],
                },
                Features(image=Image(), question=TEXT, choices=TEXTS, answer=Value("int8"), hint=TEXT, subject=TEXT),
            )
        },
    )
    found["pope"] = (
        None,
        {
            "test": (
                {
                    "id": ["0", "1"],
                    "question_id": ["1", "2"],
                    "question": ["Is there a dog in the image?", "Is there a cat in the image?"],
                    "answer": ["yes", "no"],
                    "image_source": ["coco"] * 2,
                    "image": [RED, RED],
                    "category": ["random", "popular"],
                },
                Features(
                    id=TEXT,
                    question_id=TEXT,
                    question=TEXT,
                    answer=TEXT,
                    image_source=TEXT,
                    image=Image(),
                    category=ClassLabel(names=["random", "popular"]),
                ),
            )
        },
    )
    found["nlvr2"] = (
        None,
        {
            "balanced_dev": (
                {
                    "question_id": ["d-0"],
                    "question": ["There are two dogs."],
                    "answer": ["False"],
                    "left_image": [RED],
                    "right_image": [BLUE],
                },
                Features(question_id=TEXT, question=TEXT, answer=TEXT, left_image=Image(), right_image=Image()),
            )
        },
    )
    return found


def write_benchmark(folder: Path, name: str) -> str:
    """Writes the fixture of a benchmark as a folder that `load_dataset` takes in place of the Hub id."""
    config, splits = schemas()[name]
    folder = folder / name
    folder.mkdir()
    lines = ["---", "configs:", f"- config_name: {config or 'default'}", "  data_files:"]
    for split, (columns, features) in splits.items():
        columns = columns | ({"category": ["random", "popular"]} if name == "pope" else {})
        table = Dataset.from_dict(columns, features=datasets.Features({key: features[key] for key in columns}))
        table.to_parquet(folder / f"{split}.parquet")
        lines += [f"  - split: {split}", f"    path: {split}.parquet"]
    (folder / "README.md").write_text("\n".join([*lines, "---", ""]))
    return str(folder)
