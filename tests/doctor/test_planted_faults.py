"""Each fault, planted alone in a healthy model, is found, and nothing else is."""

import pytest
import torch
from patients import KINDS, PAD, connector_of, one_colour, ours, row, tower_of
from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

from nanovlms_hf.doctor import AnswerCollator
from nanovlms_hf.processing_nanovlms import CHAT_TEMPLATE
from nanovlms_hf.training.trainer import SupervisedCollator

OWN = ("ours", "two towers")


@pytest.fixture(params=list(KINDS))
def patient(request):
    return KINDS[request.param]()


def wrapped(collator, change):
    """A collator whose batches are changed in place."""

    def collate(rows):
        batch = collator(rows)
        change(batch)
        return batch

    return collate


@pytest.mark.parametrize("packed", [False, True])
def test_a_healthy_one_has_no_finding(patient, packed):
    patient.options = {"packed": packed}
    report = patient.examined()
    assert report.findings == [] and report.healthy
    checks = "weights batches supervised-tokens end-of-answers pictures placeholders forward-pass picture-changes-the-answer"
    wanted = checks.split() + ["packing"] * packed + ["gradients"]
    assert [check.replace(" ", "-") for check in report.checks] == wanted


# Supervised tokens ----------------------------------------------------------------------------------------------------


def test_nothing_supervised(patient):
    patient.collator = wrapped(AnswerCollator(patient.processor), lambda batch: batch["labels"].fill_(-100))
    (finding,) = patient.examined().findings
    assert (finding.code, finding.severity) == ("no_supervised_tokens", "error")
    assert finding.what == "3 of 3 examples have 0 supervised tokens"


def test_only_the_end_supervised_in_one_row():
    patient = ours()
    patient.rows[1] = row(2, answer="")
    (finding,) = patient.examined().findings
    assert finding.code == "no_supervised_tokens" and finding.what.startswith("1 of 3")
    patient.processor.tokenizer.model_max_length = 128
    patient.collator = SupervisedCollator(patient.processor, assistant_only_loss=True)  # which raises by itself
    (finding,) = patient.examined().findings
    assert finding.code == "no_supervised_tokens" and "1 of 1 examples in a batch have 0 supervised" in finding.what


def test_supervised_placeholders_are_a_warning(patient):
    patient.collator = DataCollatorForVisionLanguageModeling(patient.processor)
    (finding,) = patient.examined().findings
    assert (finding.code, finding.severity) == ("placeholders_supervised", "warning")


# The end of an answer -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ours", "two towers", "smolvlm"])
def test_an_end_outside_of_the_generation_block(kind):
    patient = KINDS[kind]()
    block = "{{ '<|end|>' }}{% endgeneration %}"
    assert block in CHAT_TEMPLATE
    patient.processor.chat_template = CHAT_TEMPLATE.replace(block, "{% endgeneration %}{{ '<|end|>' }}")
    (finding,) = patient.examined().findings
    assert finding.code == "end_never_supervised" and "'<|end|>' = 1" in finding.what


def test_a_template_that_writes_no_end(patient):
    template = patient.processor.chat_template
    patient.processor.chat_template = template.replace("{{ '<|end|>' }}", "")
    assert patient.codes() == ["end_never_supervised"]


@pytest.mark.parametrize("stop", [None, 7, [7, 8]], ids=str)
def test_an_end_that_never_stops_generation(patient, stop):
    patient.model.generation_config.eos_token_id = stop
    (finding,) = patient.examined().findings
    assert finding.code == "end_never_stops"
    assert ("no token" if stop is None else "= 7") in finding.what


def test_one_of_several_stops_is_enough(patient):
    patient.model.generation_config.eos_token_id = [7, 1]
    assert patient.codes() == []


def test_padding_that_hides_the_end(patient):
    patient.processor.tokenizer.pad_token = "<|end|>"

    def mask_padding(batch):
        batch["labels"][batch["input_ids"] == patient.processor.tokenizer.pad_token_id] = -100

    patient.collator = wrapped(AnswerCollator(patient.processor), mask_padding)
    (finding,) = patient.examined().findings
    assert finding.code == "pad_hides_end" and "'<|end|>' = 1" in finding.what


def test_padding_by_the_end_that_hides_nothing(patient):
    patient.processor.tokenizer.pad_token = "<|end|>"
    assert patient.codes() == []


# Placeholders ---------------------------------------------------------------------------------------------------------


def test_more_placeholders_than_features(patient):
    if hasattr(patient.processor, "patch_size"):  # Llava counts for itself
        patient.processor.patch_size = 4
    elif hasattr(patient.processor, "image_seq_len"):
        patient.processor.image_seq_len = 2
    else:
        patient.processor.image_seq_length += 1
    (finding,) = patient.examined().findings
    assert finding.code == "placeholder_mismatch" and finding.what.startswith("example 1 has ")


def test_a_model_that_looks_for_another_placeholder(patient):
    patient.model.config.image_token_id = 2
    assert patient.codes() == ["placeholder_mismatch"]


def test_pictures_that_do_not_reach_the_batch(patient):
    patient.collator = wrapped(
        AnswerCollator(patient.processor),
        lambda batch: [batch.pop(key) for key in list(batch) if "pixel" in key],
    )
    (finding,) = patient.examined().findings
    assert finding.code == "placeholder_mismatch" and "no pixel_values" in finding.what


def test_a_picture_without_a_placeholder(patient):
    patient.rows[0]["messages"][0]["content"] = [{"type": "image"}, {"type": "image"}, {"type": "text", "text": "?"}]
    assert patient.codes() == ["placeholder_mismatch"]


# Pictures -------------------------------------------------------------------------------------------------------------


def views_of(patient):
    """A view of a picture for each tower: each is looked at by itself."""
    return patient.processor.image_processor.model_input_names if patient.is_ours else ["pixel_values"]


def change_pixels(patient, change):
    """Plants a fault behind the image processor."""

    def of(batch):
        for key in [key for key in batch if key.endswith("pixel_values")]:
            batch[key] = change(batch[key])

    patient.collator = wrapped(AnswerCollator(patient.processor), of)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_blank_pictures(patient, value):
    change_pixels(patient, lambda pixels: torch.full_like(pixels, value))
    assert patient.codes() == ["pictures_blank"] * len(views_of(patient))


def test_saturated_pictures(patient):
    change_pixels(patient, lambda pixels: (pixels * 50).clamp(-1, 1))
    assert patient.codes() == ["pictures_saturated"] * len(views_of(patient))


@pytest.mark.parametrize(
    "settings, code",
    [
        ({"rescale_factor": 1 / 255**2}, "pictures_rescaled_twice"),
        ({"image_mean": [127.0] * 3, "image_std": [58.0] * 3}, "pictures_rescaled_twice"),
        ({"do_rescale": False}, "pictures_not_rescaled"),
    ],
    ids=["twice", "wrong units", "not at all"],
)
def test_a_processor_with_wrong_settings(patient, settings, code):
    for name, value in settings.items():
        setattr(patient.processor.image_processor, name, value)
        if hasattr(patient.processor.image_processor, f"high_res_{name}"):
            setattr(patient.processor.image_processor, f"high_res_{name}", value)
    assert patient.codes() == [code] * len(views_of(patient))


def test_a_view_that_alone_is_wrong():
    patient = KINDS["two towers"]()
    image_processor = patient.processor.image_processor
    image_processor.high_res_image_mean, image_processor.high_res_image_std = [127.0] * 3, [58.0] * 3
    (finding,) = patient.examined().findings
    assert finding.code == "pictures_rescaled_twice" and "`high_res_pixel_values`" in finding.what


def test_other_normalisations_are_well(patient):
    image_processor = patient.processor.image_processor
    image_processor.image_mean, image_processor.image_std = [0.48, 0.45, 0.41], [0.22, 0.22, 0.22]
    assert patient.codes() == []
    image_processor.do_normalize = False
    assert patient.codes() == []


def test_a_page_of_black_on_white_is_not_saturated(patient):
    for index, item in enumerate(patient.rows):
        for page in item["images"]:
            page.paste((255, 255, 255), (0, 0, 40, 30))
            page.paste((0, 0, 0), (4, 4, 34, 6 + index))
    assert patient.codes() == []


def test_a_source_of_one_colour_is_a_warning(patient):
    for item in patient.rows:
        item["images"] = [one_colour(60 * index) for index, _ in enumerate(item["images"], 1)]
    findings = patient.examined().findings
    assert [item.code for item in findings] == ["source_pictures_blank"] * len(views_of(patient))
    assert {item.severity for item in findings} == {"warning"}


# What the model says --------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_a_connector_of_zeros(patient):
    for parameter in connector_of(patient).parameters():
        parameter.zero_()
    (finding,) = patient.examined().findings
    assert finding.code == "picture_ignored" and "`pixel_values` (logits move by 0.0e+00)" in finding.what


@torch.no_grad()
def test_a_second_tower_alone_that_is_ignored():
    patient = KINDS["two towers"]()
    for parameter in patient.model.model.vocabulary_connector.parameters():
        parameter.zero_()
    (finding,) = patient.examined().findings
    assert finding.code == "picture_ignored" and "`high_res_pixel_values` (" in finding.what
    assert "`pixel_values` (" not in finding.what.replace("`high_res_pixel_values` (", "")


def test_placeholders_masked_out_of_the_attention(patient):
    image = patient.model.config.image_token_id

    def mask(batch):
        batch["attention_mask"][batch["input_ids"] == image] = 0

    patient.collator = wrapped(AnswerCollator(patient.processor), mask)
    assert patient.codes() == ["picture_ignored"]


class PackingCollator:
    """Rows in one, with positions that restart, or leaking."""

    def __init__(self, processor, positions: bool):
        self.collator, self.positions = AnswerCollator(processor), positions

    def __call__(self, rows):
        alone = [dict(self.collator([item])) for item in rows]
        packed = {key: torch.cat([item[key] for item in alone], dim=1) for key in ("input_ids", "labels")}
        if self.positions:
            places = [torch.arange(item["input_ids"].shape[1]) for item in alone]
            packed["position_ids"] = torch.cat(places)[None]
        for key in sorted({key for item in alone for key in item if "pixel" in key}):
            values = [item[key] for item in alone if key in item]
            many = values[0].ndim == 5 or key == "pixel_attention_mask"
            packed[key] = torch.cat(values, dim=1 if many else 0)
        return packed


def test_packed_examples_that_read_each_other(patient):
    patient.collator = PackingCollator(patient.processor, positions=True)
    assert patient.codes() == [] and "packing" in patient.examined().checks
    patient.collator = PackingCollator(patient.processor, positions=False)
    (finding,) = patient.examined().findings
    assert finding.code == "packed_differs" and "differ from those of the same examples alone" in finding.what


def test_a_decoder_that_is_not_told_the_positions(patient):
    inner = patient.model.model
    decoder = inner.language_model if hasattr(inner, "language_model") else inner.text_model
    decoder.register_forward_pre_hook(
        lambda module, args, kwargs: (args, kwargs | {"position_ids": None}), with_kwargs=True
    )
    assert patient.codes() == []  # nothing is packed, so nothing is wrong
    patient.options = {"packed": True}
    assert patient.codes() == ["packed_differs"]


# Gradients ------------------------------------------------------------------------------------------------------------


def test_a_frozen_tower_that_trains(patient):
    name = next(name for name, module in patient.model.model.named_children() if module is tower_of(patient))
    patient.options = {"frozen": [name]}
    (finding,) = patient.examined().findings
    assert finding.code == "frozen_with_gradient" and f"though {name} should not train" in finding.what
    tower_of(patient).requires_grad_(False)
    assert patient.codes() == []


def test_a_frozen_parameter_that_holds_an_old_gradient(patient):
    tower_of(patient).requires_grad_(False)
    parameter = next(tower_of(patient).parameters())
    parameter.grad = torch.ones_like(parameter)
    (finding,) = patient.examined().findings
    assert finding.code == "frozen_with_gradient" and "1 parameter(s)" in finding.what
    assert torch.equal(parameter.grad, torch.ones_like(parameter))


def test_a_connector_behind_which_the_way_back_is_cut(patient):
    connector_of(patient).register_forward_hook(lambda module, args, output: output.detach())
    (finding,) = patient.examined().findings
    assert finding.code == "trainable_without_gradient" and "though the outputs depend on them" in finding.what


def test_a_tower_without_gradients(patient):
    tower = tower_of(patient)
    forward = tower.forward
    tower.forward = lambda *args, **kwargs: torch.no_grad()(forward)(*args, **kwargs)
    before = {name: value.clone() for name, value in patient.model.state_dict().items()}
    assert patient.codes() == ["trainable_without_gradient"]
    assert all(torch.equal(before[name], value) for name, value in patient.model.state_dict().items())
    tower.requires_grad_(False)
    assert patient.codes() == []


def test_a_part_that_forward_leaves_out(patient):
    patient.model.model.register_module("second_connector", torch.nn.Linear(8, 8))
    (finding,) = patient.examined().findings
    assert finding.code == "trainable_without_gradient"
    assert "nothing of second_connector takes part in the outputs" in finding.what


# What cannot be run ---------------------------------------------------------------------------------------------------


def test_a_row_that_no_batch_can_be_made_of(patient):
    patient.rows[2] = {"images": [], "words": "none"}
    (finding,) = patient.examined().findings
    assert finding.code == "batch_refused"


def test_a_model_that_cannot_run_the_batch(patient):
    patient.model.set_input_embeddings(torch.nn.Embedding(4, 32))
    (finding,) = patient.examined().findings
    assert finding.code == "forward_fails" and "IndexError" in finding.what


def test_no_rows_are_bad_input(patient):
    patient.rows = []
    with pytest.raises(ValueError, match="no row was given"):
        patient.examined()


def test_the_padding_is_another_token():
    assert ours().processor.tokenizer.pad_token_id == PAD
