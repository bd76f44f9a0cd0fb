"""Reading of held-out rows: perfect for a reader of truths, nothing for one of rubbish, and wired to real models."""

import json

import pytest
import torch
from PIL import Image
from small_models import build_model, picture, text_fields, vision_fields

from nanovlms_hf import NanoVLMsImageProcessor, NanoVLMsProcessor
from nanovlms_hf.data.descriptions import naming, short_description
from nanovlms_hf.data.mixture_config import build_mixture
from nanovlms_hf.data.scenes import WorldConfig
from nanovlms_hf.data.world import world_scene
from nanovlms_hf.evaluation import reading
from nanovlms_hf.evaluation.describing import answer_chats, describe_pictures, picture_side
from nanovlms_hf.evaluation.reading import evaluate_reading
from nanovlms_hf.evaluation.reading_intervals import reading_intervals
from nanovlms_hf.evaluation.reading_scores import MEASURES, denies, measure_name
from nanovlms_hf.evaluation.text_scores import character_error_rate

PAGES = {"name": "pages", "weight": 5, "documents": {"max_words": 20, "columns": [1]}}
ENTRIES = [
    PAGES,
    {"name": "notes", "weight": 1, "documents": {"task": "markdown"}},
    {"name": "boxes", "weight": 1, "detection": {"crowd_share": 0.5}},
    {"name": "expressions", "weight": 2, "referring": {"questions": 3}},
    {"name": "plots", "weight": 1, "charts": {}},
    {"name": "nothing", "weight": 1, "negatives": {}},
    {"name": "captions", "weight": 1, "scenes": {"world": {"settings": ["beach"]}, "mixture": {"question": 1.0}}},
]
RUBBISH = "qqq zzz [1, 2, 3] [900, 900, 1, 1"
SIDE = 192


@pytest.fixture(scope="module")
def model():
    return build_model("patches")


@pytest.fixture
def answers(monkeypatch):
    """Answers by a function of picture and prompt instead of the model, and keeps what it was given."""
    calls = []

    def install(say):
        def answer(model, processor, pictures, prompts, *, batch_size, max_new_tokens):
            calls.append((list(pictures), list(prompts), batch_size, max_new_tokens))
            return [say(one, prompt) for one, prompt in zip(pictures, prompts, strict=True)]

        monkeypatch.setattr(reading, "answer_chats", answer)
        return calls

    return install


def held_out(entry, rows, seed=0):
    return list(build_mixture([entry], split="test", seed=seed, length=rows, image_size=SIDE))


def truths(entries, rows, seed=0):
    """(pixels, prompt) -> the right answer, from the rows themselves."""
    known = {}
    for entry in entries:
        if "scenes" in entry:
            scenes = [world_scene(seed, "test", i, WorldConfig(settings=("beach",))) for i in range(rows)]
            pictures = [row["images"][0] for row in held_out(entry | {"seed": seed}, rows)]
            turns = [("Describe the picture.", short_description(scene)) for scene in scenes]
        else:
            found = held_out(entry, rows, seed)
            pictures = [row["images"][0] for row in found]
            turns = [[message["content"][-1]["text"] for message in row["messages"][:2]] for row in found]
        known |= {(one.tobytes(), asked): truth for one, (asked, truth) in zip(pictures, turns, strict=True)}
    return known


def evaluate(model, processor, entries=ENTRIES, rows=4, **options):
    return evaluate_reading(model, processor, entries, rows, image_size=SIDE, **options)


# scores ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mixture", "question", "tell"),
    [
        ({"naming": 1.0}, "Name the things.", naming),
        ({"naming": 1.0, "short": 0.0}, "Name the things.", naming),
        ({"naming+short": 1.0}, "Describe the picture.", short_description),
        (None, "Describe the picture.", short_description),
    ],
)
def test_a_part_that_only_names_things_is_asked_to_name_them(model, processor, answers, mixture, question, tell):
    said = {}
    answers(lambda one, prompt: said[one.tobytes()])
    entry = {"name": "names", "weight": 1, "scenes": {"mixture": mixture} if mixture else {}}
    scenes = [world_scene(0, "test", index) for index in range(4)]
    rows = held_out(entry | {"seed": 0}, 4)
    said |= {row["images"][0].tobytes(): tell(scene) for row, scene in zip(rows, scenes, strict=True)}
    metrics, readings = evaluate(model, processor, [entry], conditions=("",))
    assert [(one.question, one.truth) for one in readings] == [(question, tell(scene)) for scene in scenes]
    assert metrics["facts_precision"] == 1.0 and metrics["facts_recall"] > 0.2


def test_who_says_the_truth_scores_fully_and_not_of_a_blank_picture(model, processor, answers):
    known = truths(ENTRIES, 4)
    answers(lambda one, prompt: known.get((one.tobytes(), prompt), RUBBISH))
    metrics, readings = evaluate(model, processor)
    for name in ("ocr_cer", "ocr_wer", "ocr_ned", "markdown_cer", "markdown_wer", "markdown_ned"):
        assert metrics[name] == 0.0 and metrics[f"{name}_blank"] > 0.8
    for name in (
        "detection_f1_iou50",
        "detection_precision_iou50",
        "detection_recall_iou50",
        "rec_acc_iou50",
        "rec_mean_iou",
        "chart_table_f1",
        "negatives_acc",
        "facts_precision",
    ):
        assert metrics[name] == 1.0 and metrics[f"{name}_blank"] == 0.0
    assert metrics["facts_recall"] > 0.5 and metrics["facts_f1_blank"] == 0.0
    for name in ("detection", "rec", "chart"):
        assert metrics[f"{name}_unreadable"] == 0 and metrics[f"{name}_unreadable_blank"] == 4
    assert metrics["rows_per_part"] == 4 and len(readings) == 4 * len(ENTRIES)
    assert json.loads(json.dumps(metrics)) == metrics
    for one in readings:
        assert one.said[""] == known[one.picture.tobytes(), one.question] == one.truth
        assert one.said["_blank"] == RUBBISH and set(one.score) == {"", "_blank"}
        assert one.score[""] == 0.0 if one.measure in ("ocr", "markdown") else one.score[""] > 0.5


def test_a_row_has_the_score_of_its_own_answer(model, processor, answers):
    answers(lambda one, prompt: "A b c")
    metrics, readings = evaluate(model, processor, [PAGES], conditions=("",))
    for one in readings:
        assert one.score == {"": round(character_error_rate([("A b c", one.truth)]), 4)}
    assert metrics["ocr_cer"] == round(character_error_rate([("A b c", one.truth) for one in readings]), 4)
    assert not any(name.endswith("_blank") for name in metrics)


def test_intervals_hold_the_figures_and_follow_the_rows(model, processor, answers):
    known = truths(ENTRIES, 8)
    wrong = {key for number, key in enumerate(known) if number % 3 == 0}
    answers(lambda one, prompt: RUBBISH if (one.tobytes(), prompt) in wrong else known[one.tobytes(), prompt])
    metrics, readings = evaluate(model, processor, rows=8, conditions=("",))
    for key in [key for key in metrics if f"{key}_interval" in metrics]:
        low, high = metrics[f"{key}_interval"]
        assert low <= metrics[key] <= high and (low < high or metrics[key] == 1.0), key
    assert len([key for key in metrics if key.endswith("_interval")]) == 3 + 3 + 3 + 2 + 3 + 1 + 3
    assert not any("unreadable_interval" in key or "part_interval" in key for key in metrics)
    assert metrics["ocr_cer_interval"][0] < metrics["ocr_cer"] < metrics["ocr_cer_interval"][1]
    # Of equal rows every drawing has the figures of one.
    for measure in MEASURES:
        pairs = [(one.said[""], one.scene or one.truth) for one in readings if one.measure == measure]
        same = reading_intervals(measure, [pairs[0]] * 5, resamples=20)
        figures = MEASURES[measure].score([pairs[0]])
        assert same == {name: [round(figures[name], 4)] * 2 for name in same}, measure


def test_other_pictures_are_blank_or_the_next_ones(model, processor, answers):
    calls = answers(lambda one, prompt: "x")
    _, readings = evaluate(model, processor, [PAGES], 3, conditions=("", "_blank", "_shuffled"), batch_size=2)
    (right, *_), (blank, *_), (shuffled, *_) = calls
    assert [one.tobytes() for one in shuffled] == [one.tobytes() for one in right[1:] + right[:1]]
    assert all(one.size == (SIDE, SIDE) and set(one.getdata()) == {(128, 128, 128)} for one in blank)
    assert all(prompts == [one.question for one in readings] and size == 2 for _, prompts, size, _ in calls)


def test_answers_may_be_a_quarter_longer_than_the_longest_truth(model, processor, answers):
    calls = answers(lambda one, prompt: "x")
    _, readings = evaluate(model, processor, [PAGES], conditions=("",))
    longest = max(len(processor.tokenizer(one.truth)["input_ids"]) for one in readings)
    evaluate(model, processor, [PAGES], conditions=("",), max_new_tokens=7)
    assert [call[3] for call in calls] == [int(1.25 * longest) + 8, 7]


def test_only_the_first_question_of_a_conversation_is_asked(model, processor, answers):
    answers(lambda one, prompt: "x")
    entry = next(entry for entry in ENTRIES if "referring" in entry)
    _, readings = evaluate(model, processor, [entry])
    rows = held_out(entry, 4)
    assert max(len(row["messages"]) for row in rows) == 6
    for one, row in zip(readings, rows, strict=True):
        assert one.question == row["messages"][0]["content"][1]["text"]
        assert one.truth == row["messages"][1]["content"][0]["text"]


def test_parts_with_one_measure_are_scored_together_and_apart(model, processor, answers):
    entries = [PAGES, PAGES | {"name": "other"}, {"name": "off", "weight": 0, "documents": {}}]
    known = truths([PAGES], 2)
    answers(lambda one, prompt: known.get((one.tobytes(), prompt), ""))
    metrics, readings = evaluate(model, processor, entries, 2, conditions=("",))
    first, second = (
        sum(len(" ".join(one.truth.split())) for one in readings if one.part == part) for part in ("pages", "other")
    )
    assert metrics["pages_ocr_cer"] == 0.0 and metrics["other_ocr_cer"] == 1.0
    assert metrics["ocr_cer"] == pytest.approx(second / (first + second), abs=1e-4)
    assert not any("off" in name for name in metrics)


def test_seeds_choose_the_rows(model, processor, answers):
    answers(lambda one, prompt: "x")
    entries = [PAGES, ENTRIES[-1]]

    def drawn(**options):
        return [one.picture.tobytes() for one in evaluate(model, processor, entries, 2, **options)[1]]

    assert drawn() == drawn() != drawn(seed=1)
    assert not set(drawn()) & set(drawn(seed=1))


def test_a_kind_without_a_measure_is_named(model, processor, answers):
    answers(lambda one, prompt: "x")
    metrics, readings = evaluate(
        model, processor, [PAGES, {"name": "coco", "weight": 1, "source": "no/such/file.yaml"}], 2
    )
    assert metrics["unscored_parts"] == ["coco"] and {one.part for one in readings} == {"pages"}


@pytest.mark.parametrize(
    ("said", "truth", "right"),
    [
        ("there is no text here, only things to look at", "This picture has no text.", True),
        ("The cat sat.", "This picture has no text.", False),
        ("Boat: none.", "This picture has no text.", False),
        ("boat: none", "Boat: none.", True),
        ("None.", "Boat: none; Cat: none.", True),
        ("Cat: none; Boat: none.", "Boat: none; Cat: none.", True),
        ("Boat: none.", "Boat: none; Cat: none.", False),
        ("Dog: none.", "Boat: none.", False),
        ("Boat: [010, 010, 200, 200].", "Boat: none.", False),
        ("Boat: none; what [1", "Boat: none.", False),
        ("", "Boat: none.", False),
    ],
)
def test_denials(said, truth, right):
    assert denies(said, truth) is right


@pytest.mark.parametrize(
    ("kind", "options", "name"),
    [
        ("documents", None, "ocr"),
        ("pdfs", {"task": "markdown"}, "markdown"),
        ("charts", {"task": "chart_dict"}, "chart"),
        ("scenes", {}, "facts"),
        ("source", "file.yaml", None),
    ],
)
def test_measures_of_kinds(kind, options, name):
    assert measure_name(kind, options) == name


# bad input ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entries", "options", "message"),
    [
        ([PAGES], {"rows": 0}, "rows=0 of each part are too few; these conditions need at least 1"),
        ([PAGES], {"rows": 1, "conditions": ("", "_shuffled")}, "rows=1 of each part are too few.*at least 2"),
        ([PAGES], {"conditions": ("", "grey")}, r"conditions=\['', 'grey'\] cannot be; expected some of '', '_blank'"),
        ([PAGES], {"conditions": ()}, r"conditions=\[\] cannot be"),
        (
            [{"name": "x", "weight": 1, "documnts": {}}],
            {},
            "mixture part 'x' has the unknown key 'documnts'.*documents",
        ),
        ([{"name": "x", "weight": -1, "documents": {}}], {}, "mixture part 'x' has weight=-1"),
        (["x"], {}, "mixture entry 0 is 'x'"),
    ],
)
def test_bad_input_is_told_in_a_sentence(model, processor, entries, options, message):
    with pytest.raises(ValueError, match=message):
        evaluate(model, processor, entries, **options)


# real models ----------------------------------------------------------------------------------------------------------


def two_views():
    """A model with a vision vocabulary of 32 pixels beside a tower of 16, and its processor."""
    backbone = vision_fields(image_size=32, stem="linear", use_cls_token=False)
    vocabulary = {"model_type": "nanovlms_vocabulary", "backbone_config": backbone, "downsample_channels": [48]}
    return build_model("patches", vocabulary_config=vocabulary)


def test_a_model_reads_and_is_left_as_it_was(model, processor):
    model.train()
    metrics, readings = evaluate(model, processor, rows=2, max_new_tokens=3)
    assert model.training
    model.eval()
    again, _ = evaluate(model, processor, rows=2, max_new_tokens=3, batch_size=1)
    assert not model.training and again == metrics
    assert all(set(one.said) == {"", "_blank"} for one in readings)
    assert metrics["ocr_cer"] > 0.5


def test_two_views_of_a_picture(tokenizer):
    model = two_views()
    views = NanoVLMsImageProcessor(size={"height": 16, "width": 16}, high_res_size={"height": 32, "width": 32})
    processor = NanoVLMsProcessor(views, tokenizer, image_seq_length=model.config.image_seq_length)
    assert picture_side(model) == 32
    metrics, readings = evaluate(model, processor, [PAGES], 2, max_new_tokens=4)
    assert len(readings) == 2 and metrics["ocr_cer"] > 0.5


def test_the_side_of_a_model_without_a_vocabulary(model):
    assert picture_side(model) == 16


def test_each_picture_has_a_prompt_of_its_own(model, processor):
    pictures, prompts = [picture(seed) for seed in range(3)], ["a dog", "is there a red dog in the picture?", "what?"]
    alone = [
        describe_pictures(model, processor, [one], prompt, max_new_tokens=6)[0]
        for one, prompt in zip(pictures, prompts, strict=True)
    ]
    assert len(set(alone)) > 1
    for batch_size in (1, 2, 3):
        assert answer_chats(model, processor, pictures, prompts, batch_size, max_new_tokens=6) == alone
    with pytest.raises(ValueError, match="2 prompts were given for 3 pictures; give one for each"):
        answer_chats(model, processor, pictures, prompts[:2])


@pytest.mark.parametrize("decoder", ["llama", "gpt2"])
def test_answers_end_with_the_context(processor, decoder, monkeypatch):
    model = build_model("patches", text_config=text_fields(decoder, tie_word_embeddings=False))
    given = []
    generate = type(model).generate
    monkeypatch.setattr(
        type(model), "generate", lambda self, **inputs: given.append(inputs) or generate(self, **inputs)
    )
    answer_chats(model, processor, [picture(0)], ["what?"], max_new_tokens=500)
    assert given[0]["input_ids"].shape[1] + given[0]["max_new_tokens"] == 128
    with pytest.raises(
        ValueError, match="a prompt with its picture takes .* tokens, but the model's context ends at 128"
    ):
        answer_chats(model, processor, [picture(0)], ["word " * 200])


def test_a_stage_one_model_can_be_measured(tokenizer, processor):
    vocabulary = {
        "model_type": "nanovlms_vocabulary",
        "backbone_config": vision_fields(stem="linear", use_cls_token=False, patch_size=4),
        "downsample_channels": [32],
    }
    model = build_model("patches", vision_config=vocabulary)
    assert picture_side(model) == 16
    with torch.no_grad():
        metrics, _ = evaluate(model, processor, [PAGES], 2, max_new_tokens=2)
    assert metrics["ocr_cer"] > 0.5


def test_pictures_of_any_kind_can_be_blank(model, processor):
    said = answer_chats(
        model, processor, [Image.new("L", (5, 9)), Image.new("RGBA", (9, 5))], ["a", "b"], max_new_tokens=2
    )
    assert len(said) == 2
