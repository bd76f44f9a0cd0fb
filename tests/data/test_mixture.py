"""Mixtures: row i is a function of (seed, i), whatever the workers, the processes and the place where a run resumes."""

import pickle
import tracemalloc
from collections import Counter

import datasets
import pytest
import torch
import yaml
from accelerate.data_loader import BatchSamplerShard, skip_first_batches
from small_sources import toy
from torch.utils.data import BatchSampler, DataLoader, SequentialSampler
from transformers import Trainer, TrainingArguments

from nanovlms_hf.data.mixture import Mixture, Part, Schedule, StreamedMixture
from nanovlms_hf.data.mixture_config import KINDS, build_mixture, register_rows
from nanovlms_hf.data.mixture_parts import DrawnRows, StreamRows, TableRows
from nanovlms_hf.data.shuffles import block_order, key_of, permute


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))


class Numbers:
    """Rows that say who they are; finite with a length."""

    def __init__(self, name, length=None):
        self.name, self.length = name, length

    def row(self, index):
        return {"images": [], "messages": [], "id": f"{self.name}{index}"}


def number_stream(size):
    for number in range(size):
        yield {"id": f"s{number}"}


def stream(size=50, window=8, seed=0):
    rows = datasets.IterableDataset.from_generator(number_stream, gen_kwargs={"size": size})
    return StreamRows(rows, "numbers", seed, window)


def parts(streamed=False):
    third = stream() if streamed else Numbers("c", 5)
    return [Part("a", Numbers("a"), 4), Part("b", Numbers("b", 70), 2), Part("c", third, 0.5)]


def ids(rows):
    return [row["id"] for row in rows]


def first(batch):
    return batch


# shuffles -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 3, 5, 16, 17, 100, 1000, 4097])
def test_permute_hits_every_place_once(size):
    places = [permute(index, size, key_of(3, size)) for index in range(size)]
    assert sorted(places) == list(range(size))
    if size > 15:
        assert places != sorted(places)
        assert places != [permute(index, size, key_of(4, size)) for index in range(size)]


def test_orders_never_change():
    """What a seed means is written into every run that used it."""
    assert key_of(0, "block", 0) == 12490250238694673172
    assert [permute(index, 10, 7) for index in range(10)] == [2, 0, 6, 7, 8, 9, 3, 5, 4, 1]
    assert block_order(10, 7).tolist() == [1, 8, 5, 7, 0, 9, 4, 6, 3, 2]


def test_permute_is_even():
    """Over many keys an index goes everywhere about equally often."""
    places = Counter(permute(2, 6, key_of(key)) for key in range(6000))
    assert all(850 < places[place] < 1150 for place in range(6))


# weights and order ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weights", "block", "counts"),
    [
        ([1], 1000, [1000]),
        ([4, 2, 1], 1000, [571, 286, 143]),  # of 571.4, 285.7, 142.9: the largest remainders are rounded up
        ([4, 2, 1, 0.5, 0.2], 1000, [519, 260, 130, 65, 26]),
        ([0.0, 1, 0.0, 1], 1000, [500, 500]),
        ([1000, 1], 10_000, [9990, 10]),
        ([20_000, 1], 100_000, [99_995, 5]),
    ],
)
def test_weights_become_rows_of_a_block(weights, block, counts):
    schedule = Schedule([Part(f"p{i}", Numbers("x"), weight) for i, weight in enumerate(weights)], seed=0)
    assert (schedule.block, schedule.counts) == (block, counts)


def test_every_block_has_the_weights_and_an_order_of_its_own():
    mixture = Mixture(parts(), 3000)
    names = [mixture.part_of(i)[0] for i in range(3000)]
    blocks = [names[i : i + 1000] for i in (0, 1000, 2000)]
    assert [Counter(block) for block in blocks] == [Counter(a=615, b=308, c=77)] * 3
    assert blocks[0] != blocks[1] != blocks[2] != blocks[0]


def test_endless_parts_count_up_and_finite_ones_are_permuted_each_pass():
    mixture = Mixture(parts(), 3000)
    rows = {"a": [], "b": [], "c": []}
    for index in range(3000):
        name, row = mixture.part_of(index)
        rows[name].append(row)
    assert rows["a"] == list(range(1845))
    passes = [tuple(rows["b"][i : i + 70]) for i in range(0, 910, 70)]
    assert all(sorted(one) == list(range(70)) for one in passes) and len(set(passes)) == 13
    assert all(sorted(rows["c"][i : i + 5]) == list(range(5)) for i in range(0, 230, 5))


def test_a_row_says_its_part_and_keeps_what_the_source_tells():
    mixture = Mixture(parts(), 100)
    name, row = mixture.part_of(17)
    assert mixture[17] == {"images": [], "messages": [], "id": f"{name}{row}", "part": name}
    assert mixture[-1] == mixture[99]
    assert len(list(mixture)) == len(mixture) == 100  # the sequence protocol ends
    for outside in (100, -101):
        with pytest.raises(IndexError, match=f"row {outside} was asked of a mixture of 100 rows."):
            mixture[outside]


def test_seed_decides_and_start_shifts():
    rows = ids(Mixture(parts(), 2500, seed=1))
    assert rows == ids(Mixture(parts(), 2500, seed=1)) != ids(Mixture(parts(), 2500, seed=2))
    assert ids(Mixture(parts(), 100, seed=1, start=2400)) == rows[2400:]
    mixture = Mixture(parts(), 2500, seed=1)
    assert [mixture[i]["id"] for i in (2499, 0, 1234)] == [rows[i] for i in (2499, 0, 1234)]


# loaders --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 2])
def test_loader_gives_the_same_rows_with_any_number_of_workers(workers):
    mixture = Mixture(parts(), 64)
    loader = DataLoader(mixture, batch_size=4, num_workers=workers, collate_fn=first)
    assert [row["id"] for batch in loader for row in batch] == ids(mixture)


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_processes_share_the_rows_of_a_global_batch(processes):
    mixture = Mixture(parts(), 60)
    sampler = BatchSampler(SequentialSampler(mixture), 10 // processes if processes < 3 else 4, drop_last=False)
    shards = [list(BatchSamplerShard(sampler, processes, rank)) for rank in range(processes)]
    order = [mixture[i]["id"] for step in zip(*shards, strict=True) for batch in step for i in batch]
    assert order == ids(mixture)


def test_skipping_batches_is_exact_and_makes_no_row():
    made = []

    class Watched(Numbers):
        def row(self, index):
            made.append(index)
            return super().row(index)

    mixture = Mixture([Part("a", Watched("a"), 1)], 40)
    loader = skip_first_batches(DataLoader(mixture, batch_size=4, collate_fn=first), 7)
    assert [row["id"] for batch in loader for row in batch] == [f"a{i}" for i in range(28, 40)] and min(made) == 28


def test_pickled_mixture_gives_the_same_rows():
    mixture = Mixture(parts(), 100)
    assert ids(pickle.loads(pickle.dumps(mixture))) == ids(mixture)


class Recorder(torch.nn.Module):
    """A model that learns nothing and remembers what it was shown."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen = []

    def forward(self, number):
        self.seen += number.tolist()
        return {"loss": self.weight * 0}


def numbers_of(rows):
    return {"number": torch.tensor([int(row["id"][1:]) for row in rows])}


def test_trainer_resumes_at_the_exact_row(tmp_path):
    def train(steps, **resume):
        options = {"max_steps": steps, "save_steps": 5, "report_to": "none", "disable_tqdm": True, "use_cpu": True}
        options |= {"remove_unused_columns": False, "train_sampling_strategy": "sequential", "save_strategy": "steps"}
        arguments = TrainingArguments(str(tmp_path), per_device_train_batch_size=3, **options)
        model = Recorder()
        mixture = Mixture([Part("b", Numbers("b", 10), 1)], 30)
        Trainer(model, arguments, train_dataset=mixture, data_collator=numbers_of).train(**resume)
        return model.seen

    whole = train(10)
    assert train(10, resume_from_checkpoint=str(tmp_path / "checkpoint-5")) == whole[15:]
    assert sorted(whole[:10]) == sorted(whole[10:20]) == list(range(10)) and whole[:10] != whole[10:20]


def test_as_dataset_has_the_same_rows():
    mixture = Mixture(parts(), 50)
    dataset = mixture.as_dataset()
    assert isinstance(dataset, datasets.Dataset) and len(dataset) == 50
    assert [{**row} for row in dataset] == list(mixture)


# streams --------------------------------------------------------------------------------------------------------------


def test_stream_rows_by_number():
    rows = stream(size=20, window=8)
    order = ids(rows.row(i) for i in range(60))
    for begin in (0, 20, 40):  # each pass once through, windows in their order, shuffled inside
        one = [int(name[1:]) for name in order[begin : begin + 20]]
        assert [sorted(one[i : i + 8]) for i in (0, 8, 16)] == [
            list(range(8)),
            list(range(8, 16)),
            list(range(16, 20)),
        ]
    assert order[:20] != order[20:40]
    assert ids(rows.row(i) for i in (33, 34, 3, 59)) == [order[i] for i in (33, 34, 3, 59)]  # backwards too
    assert ids(stream(size=20, window=1).row(i) for i in range(20)) == [f"s{i}" for i in range(20)]
    assert ids(stream(size=20, seed=1).row(i) for i in range(20)) != order[:20]


def test_streamed_mixture_has_the_schedule_of_the_mixture():
    streamed, plain = StreamedMixture(parts(), 300, seed=5), Mixture(parts(), 300, seed=5)
    assert list(streamed) == list(plain)
    assert [streamed.part_of(i) for i in range(300)] == [plain.part_of(i) for i in range(300)]


@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize("workers", [0, 2])
def test_streamed_rows_are_shared_out_in_one_order(processes, workers):
    rows = ids(StreamedMixture(parts(streamed=True), 120))
    assert any(name.startswith("s") for name in rows)
    settings = {"world_size": processes, "batch_size": 4}
    mixtures = [StreamedMixture(parts(streamed=True), 120, rank=rank, **settings) for rank in range(processes)]
    loaders = [DataLoader(m, batch_size=4, num_workers=workers, collate_fn=first) for m in mixtures]
    order = [row["id"] for step in zip(*loaders, strict=True) for batch in step for row in batch]
    assert order == rows


def test_streamed_mixture_resumes_at_the_exact_row():
    rows = ids(StreamedMixture(parts(streamed=True), 900))
    mixture = StreamedMixture(parts(streamed=True), 900)
    reader = iter(mixture)
    assert ids(next(reader) for _ in range(777)) == rows[:777]
    state = mixture.state_dict()
    assert state == {"row": 777}
    resumed = StreamedMixture(parts(streamed=True), 900)
    resumed.load_state_dict(state)
    assert ids(resumed) == rows[777:]
    assert ids(resumed) == rows  # the state counts for one iteration
    assert ids(StreamedMixture(parts(streamed=True), 123, start=777)) == rows[777:]
    with pytest.raises(ValueError, match="the state is at row 901, but this mixture has 900 rows."):
        mixture.load_state_dict({"row": 901})


def test_one_of_two_processes_resumes_at_its_own_row():
    settings = {"rank": 1, "world_size": 2, "batch_size": 4}
    rows = ids(StreamedMixture(parts(streamed=True), 80, **settings))
    mixture = StreamedMixture(parts(streamed=True), 80, **settings)
    reader = iter(mixture)
    ids(next(reader) for _ in range(14))
    resumed = StreamedMixture(parts(streamed=True), 80, **settings)
    resumed.load_state_dict(mixture.state_dict())
    assert ids(resumed) == rows[14:]


@pytest.mark.parametrize("workers", [0, 2])
def test_streamed_mixture_as_dataset(workers):
    mixture = StreamedMixture(parts(streamed=True), 100)
    dataset = mixture.as_dataset()
    assert isinstance(dataset, datasets.IterableDataset)
    loader = DataLoader(dataset, batch_size=5, num_workers=workers, collate_fn=first)
    assert [row for batch in loader for row in batch] == list(mixture)


def source_file(folder, texts, **changes):
    toy(folder, texts)
    file = folder / "toy.yaml"
    mapping = {"name": "toy", "path": "parquet", "data_files": "toy.parquet", **changes}
    mapping["messages"] = [{"user": "Describe it."}, {"assistant": "{text}"}]
    file.write_text(yaml.safe_dump(mapping))
    return str(file)


def said(row):
    return row["messages"][-1]["content"][0]["text"]


def test_pictures_that_are_passed_over_are_not_decoded(tmp_path, monkeypatch):
    decoded = []
    decode = datasets.Image.decode_example
    monkeypatch.setattr(
        datasets.Image, "decode_example", lambda self, *a, **k: decoded.append(1) or decode(self, *a, **k)
    )
    file = source_file(tmp_path, ["one", "two", "three", "four", "five"], streaming=True)
    entries = [{"name": "s", "weight": 1, "source": {"file": file, "shuffle_window": 2}}]
    settings = {"split": "train", "seed": 0, "length": 20, "image_size": 16}
    mixture = build_mixture(entries, rank=1, world_size=2, batch_size=2, **settings)
    decoded.clear()
    rows = list(mixture)
    assert len(rows) == 10 and len(decoded) == 20  # `datasets` decodes the first picture of a list twice
    whole = list(build_mixture(entries, **settings))
    assert [said(row) for row in rows] == [said(whole[i]) for i in range(20) if i % 4 > 1]
    assert sorted(map(said, whole[:5])) == ["five", "four", "one", "three", "two"]
    assert rows[0]["images"][0].mode == "RGB" and rows[0]["images"][0].size == (4, 3)


def peak_of(rows):
    tracemalloc.start()
    for _ in rows:
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("streamed", [False, True])
def test_memory_does_not_grow_with_the_rows(streamed):
    def build(length):
        if streamed:
            return StreamedMixture(parts(streamed=True), length)
        mixture = Mixture(parts(), length)
        return (mixture[i] for i in range(length))

    peak_of(build(1000))  # imports and caches
    short, long = peak_of(build(1000)), peak_of(build(10_000))
    assert long < short + 500_000  # 9,000 rows kept would be megabytes; the last few blocks are kept


# recipes --------------------------------------------------------------------------------------------------------------

SETTINGS = {"split": "train", "seed": 0, "length": 10, "image_size": 16}


def entry(name="p", weight=1, **changes):
    return {"name": name, "weight": weight, **(changes or {"scenes": {}})}


def test_scenes():
    mixture = build_mixture(
        [entry(scenes={"mixture": {"naming": 1}, "world": {"kinds": ["ball", "cup"]}}), entry("q", 1, scenes=None)],
        **SETTINGS,
    )
    assert isinstance(mixture, Mixture) and mixture[0]["images"][0].size == (16, 16)
    assert {row["part"] for row in mixture} == {"p", "q"}
    validation = build_mixture([entry()], **{**SETTINGS, "split": "validation"})
    assert validation[0]["messages"] != build_mixture([entry()], **SETTINGS)[0]["messages"]


EVERY_KIND = {
    "documents": {"task": "ocr", "font_sizes": [8, 9], "max_words": 20, "image_size": 160},
    "charts": {"task": "chart_dict", "image_size": 192},
    "detection": {"class_share": 0.0, "world": {"kinds": ["ball", "cup"]}},
    "referring": {"questions": 2},
    "negatives": {"class_share": 1.0},
    "scenes": {"mixture": {"naming": 1.0}},
}


@pytest.mark.parametrize("split", ["train", "test"])
def test_every_kind_that_is_drawn(split):
    entries = [entry(kind, **{kind: options}) for kind, options in EVERY_KIND.items()]
    mixture = build_mixture(entries, **{**SETTINGS, "split": split, "length": 1000})
    rows = {}
    for index in range(1000):
        name, number = mixture.part_of(index)
        if number == 0:
            rows[name] = mixture[index]
    assert set(rows) == set(EVERY_KIND)
    assert all(row["images"] and row["messages"][-1]["role"] == "assistant" for row in rows.values())
    assert rows["documents"]["glyphs"] and rows["detection"]["objects"]  # what a source tells passes through
    assert [rows[kind]["images"][0].size[0] for kind in ("documents", "charts", "detection")] == [160, 192, 16]
    assert said(rows["negatives"]).endswith("none.")
    assert pickle.loads(pickle.dumps(mixture))[0]["messages"] == mixture[0]["messages"]


def test_documents_with_words_of_a_data_set(tmp_path):
    texts = [
        "the quick brown fox jumps over the lazy dog and runs off again",
        "a second row of many other plain words",
    ] * 20
    datasets.Dataset.from_dict({"text": texts}).save_to_disk(tmp_path / "words")
    options = {"held_out_words": False, "blocks": ["paragraph"], "value_share": 0, "image_size": 192}
    options["texts"] = {"path": str(tmp_path / "words"), "column": "text"}
    row = build_mixture([entry(documents=options)], **SETTINGS)[0]
    assert set(said(row).lower().replace(".", "").replace("#", "").split()) <= set(" ".join(texts).split())
    options["texts"]["column"] = "txt"
    with pytest.raises(
        ValueError, match="mixture part 'p': documents, `texts`, names the column 'txt'; did you mean 'text'?"
    ):
        build_mixture([entry(documents=options)], **SETTINGS)


def test_parts_draw_apart_unless_they_are_given_a_seed():
    rows = {name: build_mixture([entry(name)], **SETTINGS)[0]["messages"] for name in "pq"}
    assert rows["p"] != rows["q"]
    rows = {name: build_mixture([entry(name, seed=3, scenes={})], **SETTINGS)[0]["messages"] for name in "pq"}
    assert rows["p"] == rows["q"]


def test_source_is_split_by_its_pictures_whatever_the_seed(tmp_path):
    texts = ["one", "two", "three", "four", "five"]
    entries = [entry(source={"file": source_file(tmp_path, texts), "validation_fraction": 0.3})]
    train = {said(row) for row in build_mixture(entries, **{**SETTINGS, "length": 3})}
    validation = build_mixture(entries, **{**SETTINGS, "split": "validation", "seed": 9, "length": 2})
    assert train | {said(row) for row in validation} == set(texts) and len(train) == 3
    with pytest.raises(
        ValueError, match="mixture part 'p': source is split into train and validation only; name a 'test' of"
    ):
        build_mixture(entries, **{**SETTINGS, "split": "test"})


def test_source_with_splits_of_its_own(tmp_path):
    toy(tmp_path, ["one", "two"])
    (tmp_path / "toy.parquet").rename(tmp_path / "train.parquet")
    toy(tmp_path, ["three"])
    mapping = {"name": "toy", "path": "parquet", "data_files": {"train": "train.parquet", "dev": "toy.parquet"}}
    mapping["messages"] = [{"user": "Describe it."}, {"assistant": "{text}"}]
    (tmp_path / "toy.yaml").write_text(yaml.safe_dump(mapping))
    options = {"file": str(tmp_path / "toy.yaml"), "splits": {"train": "train", "validation": "dev"}}
    rows = build_mixture([entry(source=options)], **{**SETTINGS, "length": 2})
    assert {said(row) for row in rows} == {"one", "two"}
    assert said(build_mixture([entry(source=options)], **{**SETTINGS, "split": "validation"})[0]) == "three"
    with pytest.raises(
        ValueError, match="mixture part 'p': source names no 'test' among its `splits`; add `test: NAME`."
    ):
        build_mixture([entry(source=options)], **{**SETTINGS, "split": "test"})


def test_a_stream_makes_the_mixture_streamed(tmp_path):
    file = source_file(tmp_path, ["one", "two", "three"], streaming=True)
    entries = [entry("s", source=file), entry("w", scenes={})]
    mixture = build_mixture(entries, **SETTINGS)
    assert isinstance(mixture, StreamedMixture) and {row["part"] for row in mixture} == {"s", "w"}
    with pytest.raises(
        ValueError, match=r"streams and cannot be split; name the dataset's own with `splits: \{train: ..., test"
    ):
        build_mixture(entries, **{**SETTINGS, "split": "test"})
    with pytest.raises(
        ValueError, match="'p' is a stream, whose rows cannot be read in any order: use StreamedMixture"
    ):
        Mixture([Part("p", stream(), 1)], 10)


def test_register_rows(monkeypatch):
    monkeypatch.setitem(KINDS, "numbers", None)

    @register_rows("numbers")
    def numbers(options, *, split, seed, image_size):
        return Numbers(f"{split}-{options['letter']}-{image_size}-")

    assert build_mixture([entry(numbers={"letter": "x"})], **SETTINGS)[2]["id"] == "train-x-16-2"


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        ([], "mixture=[] is no list of entries; write `- {name: ..., weight: ..., KIND: ...}` lines."),
        ({"short": 1.0}, "mixture={'short': 1.0} is no list of entries; write"),
        (["short"], "mixture entry 0 is 'short'; expected a mapping such as {name: ..., weight: ..., KIND: ...}."),
        ([{"weight": 1, "scenes": {}}], "mixture entry 0 has name=None; expected a text that rows"),
        ([{"name": "p", "scenes": {}}], "mixture part 'p' has no weight: give it a number"),
        (
            [entry(scene={})],
            "mixture part 'p' has the unknown key 'scene'; did you mean 'scenes'? Valid: name, weight, seed,",
        ),
        ([entry(scenes={}, source="x")], "mixture part 'p' names scenes and source; expected one of"),
        ([{"name": "p", "weight": 1}], "mixture part 'p' names no kind of rows; expected one of"),
        ([entry(), entry()], "the mixture has two parts named 'p': give each a name of its own."),
        ([entry(weight=-1)], "mixture part 'p' has weight=-1; expected a finite number, 0 or more."),
        ([entry(weight=float("nan"))], "mixture part 'p' has weight=nan; expected a finite number, 0 or more."),
        ([entry(weight=float("inf"))], "mixture part 'p' has weight=inf; expected a finite number, 0 or more."),
        ([entry(weight="2")], "mixture part 'p' has weight='2'; expected a finite number, 0 or more."),
        ([entry(weight=True)], "mixture part 'p' has weight=True; expected a finite number, 0 or more."),
        ([entry(weight=0)], "every weight of the mixture is 0: give at least one part a weight above 0."),
        (
            [entry("p", 1e6), entry("q", 1)],
            "mixture part 'q' has weight=1, less than one row in 100000: raise its weight",
        ),
        ([entry(seed=-1, scenes={})], "mixture part 'p' has seed=-1; expected a whole number of 0 or more."),
        ([entry(scenes=3)], "mixture part 'p': scenes is 3; expected a mapping of options to values."),
        (
            [entry(scenes={"wold": {}})],
            "mixture part 'p': scenes has the unknown option 'wold'; did you mean 'world'?",
        ),
        (
            [entry(scenes={"world": {"kind": []}})],
            "mixture part 'p': scenes, `world`, has the unknown option 'kind'; did you mean 'kinds'?",
        ),
        (
            [entry(scenes={"mixture": {"shirt": 1}})],
            "mixture part 'p': mixture={'shirt': 1} has to give conversations",
        ),
        (
            [entry(documents={"font_size": 1})],
            "mixture part 'p': documents has the unknown option 'font_size'; did you mean",
        ),
        (
            [entry(documents={"task": "read", "image_size": 192})],
            "mixture part 'p': task='read' is unknown; choose one of ocr, markdown.",
        ),
        (
            [entry(detection={"crowd_share": "x"})],
            "mixture part 'p': detection has a value of the wrong kind ('<=' not supported",
        ),
        (
            [entry(referring={"question": 1})],
            "mixture part 'p': referring has the unknown option 'question'; did you mean",
        ),
        ([entry(negatives={"pictures": "none"})], "mixture part 'p': 'none' is not a folder: name a folder"),
        ([entry(charts={"kinds": ["pi"]})], "mixture part 'p': "),
        ([entry(source={})], "mixture part 'p': source has file=None; expected the path of a source's YAML file."),
    ],
)
def test_bad_entries(entries, sentence):
    with pytest.raises(ValueError) as error:
        build_mixture(entries, **SETTINGS)
    assert str(error.value).startswith(sentence)


def test_missing_and_empty_sources(tmp_path):
    with pytest.raises(FileNotFoundError, match="mixture part 'p': there is no source file '.*none.yaml'"):
        build_mixture([entry(source=str(tmp_path / "none.yaml"))], **SETTINGS)
    file = source_file(tmp_path, ["one", "two"], where=[{"column": "text", "equals": "three"}])
    with pytest.raises(ValueError, match="mixture part 'p': source 'toy' gives no rows"):
        build_mixture([entry(source=file)], **SETTINGS)
    file = source_file(tmp_path, ["one"], streaming=True, where=[{"column": "text", "equals": "three"}])
    with pytest.raises(ValueError, match="mixture part 'p': stream '.*' has no rows: check its split and its filters"):
        build_mixture([entry(source=file)], **SETTINGS)
    with pytest.raises(ValueError, match="mixture part 'p' is empty: give it rows, or leave it out."):
        Mixture([Part("p", TableRows(datasets.Dataset.from_dict({"x": []})), 1)], 10)


@pytest.mark.parametrize("length", [0, -1, 2.5, True, None])
def test_bad_length(length):
    with pytest.raises(ValueError, match=f"length={length!r} rows were asked of a mixture; give a whole number"):
        build_mixture([entry()], **{**SETTINGS, "length": length})


def test_other_bad_settings():
    part = [Part("a", DrawnRows(dict), 1)]
    with pytest.raises(ValueError, match="the mixture has no parts: give at least one."):
        Mixture([], 1)
    with pytest.raises(ValueError, match="start=-1 was given to a mixture; expected the number of a row, 0 or more."):
        Mixture(part, 1, start=-1)
    with pytest.raises(ValueError, match="rank=2 of world_size=2 is no process"):
        StreamedMixture(part, 4, rank=2, world_size=2)
    with pytest.raises(ValueError, match="batch_size=0 was given to a mixture; expected 1 or more."):
        StreamedMixture(part, 4, batch_size=0)
    with pytest.raises(
        ValueError, match="length=10 gives 2 processes with batches of 4 different numbers of rows: make it a mu"
    ):
        StreamedMixture(part, 10, world_size=2, batch_size=4)
    with pytest.raises(ValueError, match="has shuffle_window=0; expected a number of rows of at least 1."):
        stream(window=0)
