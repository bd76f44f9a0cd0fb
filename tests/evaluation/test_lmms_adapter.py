"""The adapter's request interface, against a stand-in for the few names of lmms-eval 0.7.3 that it uses."""

import importlib
import sys
import types
from configparser import ConfigParser
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from small_models import picture

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class ModelManifest:
    model_id: str
    simple_class_path: str | None = None
    chat_class_path: str | None = None
    aliases: tuple = ()


class Hook:
    def __init__(self):
        self.seen = []

    def add_partial(self, kind, request, answer):
        self.seen.append((kind, request[0], answer))


class Base:
    is_simple = True

    def __init__(self):
        self._rank, self._world_size, self.cache_hook, self.task_dict = 0, 1, Hook(), {}


@dataclass
class Request:
    args: tuple


@pytest.fixture
def adapter(monkeypatch):
    """The adapter's module, imported with stand-ins for lmms-eval's."""
    names = ("lmms_eval", "lmms_eval.api", "lmms_eval.api.model", "lmms_eval.models", "lmms_eval.models.registry_v2")
    modules = {name: types.ModuleType(name) for name in names}
    modules["lmms_eval.api.model"].lmms = Base
    modules["lmms_eval.models.registry_v2"].ModelManifest = ModelManifest
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "nanovlms_hf.evaluation.lmms_adapter", raising=False)
    module = importlib.import_module("nanovlms_hf.evaluation.lmms_adapter")
    yield module
    sys.modules.pop("nanovlms_hf.evaluation.lmms_adapter", None)


DOCUMENTS = [
    {"question": "what is in the picture?", "pictures": [picture(1)]},
    {"question": "is the dog red?", "pictures": [picture(2), picture(3)]},
    {"question": "and a blue cat", "pictures": []},
]


def messages(document):
    content = [{"type": "image", "url": image} for image in document["pictures"]]
    return [{"role": "user", "content": [*content, {"type": "text", "text": document["question"]}]}]


def requests(**options):
    generation = {"max_new_tokens": 5, "temperature": 0, "do_sample": False} | options
    return [Request((d["question"], messages, generation, place, "toy", "test")) for place, d in enumerate(DOCUMENTS)]


@pytest.fixture
def model(adapter, saved):
    made = adapter.NanoVLMs(pretrained=saved, device="cpu", batch_size="2")
    made.task_dict = {"toy": {"test": DOCUMENTS}}
    return made


def test_the_entry_point_names_the_class(adapter):
    from nanovlms_hf.evaluation.lmms_entry import manifests

    manifest = manifests()
    assert manifest.model_id == "nanovlms" and manifest.simple_class_path is None
    module, name = manifest.chat_class_path.rsplit(".", 1)
    found = getattr(importlib.import_module(module), name)
    assert issubclass(found, Base) and found.is_simple is False
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    points = setup["options.entry_points"]["lmms_eval.models"].strip().splitlines()
    assert points == ["nanovlms = nanovlms_hf.evaluation.lmms_entry:manifests"]


def test_answers_come_in_the_order_of_the_requests_whatever_the_batch(model):
    alone = [model.generate_until([request])[0] for request in requests()]
    assert model.generate_until(requests()) == alone and len(set(alone)) > 1
    model.batch_size_per_gpu = 1
    assert model.generate_until(requests()) == alone
    assert ("generate_until", DOCUMENTS[0]["question"], alone[0]) in model.cache_hook.seen


def test_requests_with_other_generation_arguments_are_not_mixed(model):
    mixed = [requests()[0], requests(max_new_tokens=2)[1], requests()[2]]
    assert model.generate_until(mixed) == [model.generate_until([request])[0] for request in mixed]


def test_stop_texts_and_sampling(model):
    (whole,) = model.generate_until(requests()[:1])
    assert len(whole) > 2
    (cut,) = model.generate_until(requests(until=[whole[2]])[:1])
    assert cut == whole.split(whole[2])[0].strip()
    torch.manual_seed(0)
    assert isinstance(model.generate_until(requests(do_sample=True, temperature=1.0, top_p=0.9))[0], str)


def test_loglikelihood_is_that_of_the_continuation(model):
    """Against the logits, summed by hand; a document with a picture, a function as the target, and bare text."""
    question, tail = DOCUMENTS[0]["question"], ("toy", "test")

    def visual(document):
        return document["pictures"]

    def by_hand(text, pictures, continuation):
        blocks = [{"type": "image"} for _ in pictures] + [{"type": "text", "text": text}]
        chat = model.processor.apply_chat_template(
            [{"role": "user", "content": blocks}], add_generation_prompt=True, tokenize=False
        )
        encode = {"images": [pictures] if pictures else None, "add_special_tokens": False, "return_tensors": "pt"}
        start = model.processor(text=[chat], **encode)["input_ids"].shape[1]
        inputs = model.processor(text=[chat + continuation], **encode)
        with torch.inference_mode():
            scores = torch.log_softmax(model.model(**inputs).logits[0], -1)
        ids = inputs["input_ids"][0]
        greedy = all(int(scores[place - 1].argmax()) == int(ids[place]) for place in range(start, len(ids)))
        return sum(float(scores[place - 1, ids[place]]) for place in range(start, len(ids))), greedy

    found = model.loglikelihood(
        [
            Request((question, " red dog", visual, 0, *tail)),
            Request((question, lambda document: " blue", visual, 0, *tail)),
            Request(("a", " cat")),
        ]
    )
    pictures = DOCUMENTS[0]["pictures"]
    wanted = [by_hand(question, pictures, " red dog"), by_hand(question, pictures, " blue"), by_hand("a", [], " cat")]
    for (total, greedy), (true, true_greedy) in zip(found, wanted, strict=True):
        assert total == pytest.approx(true, rel=1e-4) and greedy == true_greedy and total < 0


def test_what_is_refused(adapter, model, saved):
    with pytest.raises(ValueError, match="does not know the arguments"):
        adapter.NanoVLMs(pretrained=saved, device="cpu", fps=3)
    video = [{"role": "user", "content": [{"type": "video", "url": "x.mp4"}]}]
    with pytest.raises(ValueError, match="pictures and text only"):
        model.generate_until([Request(("", lambda d: video, {}, 0, "toy", "test"))])
    with pytest.raises(NotImplementedError, match="one turn"):
        model.generate_until_multi_round([])


def test_vlmevalkit_adapter(monkeypatch, saved, tmp_path):
    """Against a stand-in for its base class and its table of models."""
    modules = {
        name: types.ModuleType(name) for name in ("vlmeval", "vlmeval.vlm", "vlmeval.vlm.base", "vlmeval.config")
    }
    modules["vlmeval.vlm.base"].BaseModel = type("BaseModel", (), {})
    modules["vlmeval.config"].supported_VLM = {}
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "nanovlms_hf.evaluation.vlmevalkit_adapter", raising=False)
    adapter = importlib.import_module("nanovlms_hf.evaluation.vlmevalkit_adapter")
    script = tmp_path / "run.py"
    script.write_text(
        "import sys\nfrom vlmeval.config import supported_VLM\nassert sys.argv[1:] == ['--data', 'MMStar'] and list(supported_VLM) == ['nanovlms']\n"
    )
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    adapter.main([saved, str(script), "--data", "MMStar"])
    model = modules["vlmeval.config"].supported_VLM["nanovlms"](max_new_tokens=4)
    picture(1).save(tmp_path / "p.png")
    message = [{"type": "image", "value": str(tmp_path / "p.png")}, {"type": "text", "value": "what is <image>?"}]
    assert isinstance(model.generate_inner(message, "MMStar"), str)
    sys.modules.pop("nanovlms_hf.evaluation.vlmevalkit_adapter", None)
