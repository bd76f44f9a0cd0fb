"""The presets against the paper's tables."""

from pathlib import Path

import pytest

from nanovlms_hf.cli import main
from nanovlms_hf.presets import PRESETS, parameter_counts, preset_config, presets_table

# arXiv 2502.07838, Table 1: encoder blocks, decoder layers, heads, head size, decoder width, encoder width.
TABLE_1 = {
    "nanovlm-mini": (1, 4, 8, 12, 96, 400),
    "nanovlm-base": (3, 8, 8, 16, 128, 512),
    "nanovlm-large": (5, 10, 16, 12, 192, 512),
}
# Table 2: shares of encoder, connector and decoder in percent.
TABLE_2 = {"nanovlm-mini": (69, 14, 17), "nanovlm-base": (78, 8, 16), "nanovlm-large": (73, 6, 21)}
# What our reading of the paper comes to; a change of these numbers changes what a preset's name means.
TOTALS = {"nanovlm-mini": 5_593_232, "nanovlm-base": 15_537_984, "nanovlm-large": 25_182_080}


@pytest.fixture(scope="module")
def counts() -> dict[str, dict[str, int]]:
    return {name: parameter_counts(preset_config(name)) for name in PRESETS}


@pytest.mark.parametrize("name", TABLE_1)
def test_table_1(name):
    blocks, layers, heads, head_size, width, vision_width = TABLE_1[name]
    config = preset_config(name)
    vision, text = config.vision_config, config.text_config
    assert (vision.num_hidden_layers, vision.hidden_size) == (blocks, vision_width)
    assert (text.n_layer, text.n_head, text.n_embd // text.n_head, text.n_embd) == (layers, heads, head_size, width)
    assert (vision.image_size, vision.patch_size, vision.num_patches) == (224, 16, 196)
    assert vision.use_cls_token and config.image_tokens == "cls" and config.image_seq_length == 1
    assert (vision.hidden_dropout_prob, vision.attention_dropout, config.connector_dropout) == (0.1, 0.1, 0.1)
    assert (text.resid_pdrop, text.embd_pdrop, text.attn_pdrop) == (0.1, 0.1, 0.1)


@pytest.mark.parametrize("name", TABLE_2)
def test_table_2(name, counts):
    parts = [counts[name][part] for part in ("encoder", "connector", "decoder")]
    assert sum(parts) == counts[name]["total"] == TOTALS[name]
    assert PRESETS[name].paper_shares == TABLE_2[name]
    for part, share in zip(parts, TABLE_2[name], strict=True):
        assert abs(100 * part / sum(parts) - share) < 1.5


def test_tiny_is_tiny(counts):
    assert counts["nanovlm-tiny"]["total"] < 300_000


def test_a_modern_twin_is_no_larger_than_the_faithful_preset(counts):
    twins = [name for name in PRESETS if name.endswith("-modern")]
    assert "nanovlm-mini-modern" in twins
    for name in twins:
        assert counts[name]["total"] <= counts[name.removesuffix("-modern")]["total"], name


def test_counts_are_those_of_the_model_itself():
    from nanovlms_hf import NanoVLMsForConditionalGeneration

    for name in ("nanovlm-tiny", "nanovlm-mini"):  # tied and untied
        model = NanoVLMsForConditionalGeneration(preset_config(name))
        counted = parameter_counts(model.config)
        assert counted["total"] == model.num_parameters()
        assert counted["encoder"] == model.model.vision_tower.num_parameters()
    text = preset_config("nanovlm-mini").text_config
    tables = 2 * text.vocab_size * text.n_embd + text.n_positions * text.n_embd
    assert parameter_counts(preset_config("nanovlm-mini"))["embedding"] == tables


def test_overrides_are_laid_over_the_preset():
    config = preset_config(
        "nanovlm-tiny", 500, connector="mlp", vision_config={"num_hidden_layers": 3}, text_config={"hidden_size": 32}
    )
    assert (config.connector, config.text_config.vocab_size, config.text_config.hidden_size) == ("mlp", 500, 32)
    assert (config.vision_config.num_hidden_layers, config.vision_config.hidden_size) == (3, 64)
    fresh = preset_config("nanovlm-tiny")  # and the preset itself is untouched
    assert (fresh.vision_config.num_hidden_layers, fresh.text_config.hidden_size, fresh.connector) == (1, 64, "linear")


def test_special_ids_are_those_of_the_tokenizer():
    for name in PRESETS:
        config = preset_config(name)
        assert (config.text_config.pad_token_id, config.text_config.eos_token_id, config.image_token_id) == (0, 1, 3)


def test_an_unknown_preset_names_those_there_are():
    with pytest.raises(
        ValueError, match="'nanovlm-medium' is not a preset; choose one of nanovlm-tiny, .*nanovlm-large"
    ):
        preset_config("nanovlm-medium")


def test_the_table_shows_each_preset_beside_the_paper(counts):
    lines = presets_table().splitlines()
    for name in PRESETS:
        row = next(line for line in lines if line.split() and line.split()[0] == name)
        assert f"{counts[name]['total']:,}" in row.split()
        assert [f"{counts[name][part]:,}" for part in ("encoder", "connector", "decoder")] == row.split()[2:5]
        if name in TABLE_2:
            assert row.endswith(f"M, {' / '.join(map(str, TABLE_2[name]))} %")
            note = next(line for line in lines if line.startswith(f"{name}: largest gap to Table 2 is"))
            total = f"{counts[name]['total'] / 1e6:.2f} M parameters here against the paper's"
            assert f'{total} "{PRESETS[name].paper_total}"' in note
    # Columns stand below their heads, and the paper's row that does not add up is named.
    column = lines[0].index("paper")
    assert [line[column:].split(",")[0] for line in lines[2:] if line.endswith(" %")] == ["5 M", "16 M", "25 M"]
    assert any("sums to 102 %" in line for line in lines)


def test_the_command_prints_the_table(capsys):
    assert main(["presets"]) == 0
    assert capsys.readouterr().out == presets_table() + "\n"


def test_the_docs_have_the_parameters_of_the_models_with_a_vocabulary(counts):
    page = (Path(__file__).parents[1] / "docs" / "presets.md").read_text()
    for name in ("vary-nano", "vary-tiny", "vary-toy"):
        numbers = " | ".join(f"{counts[name][part]:,}" for part in ("total", "encoder", "connector", "decoder"))
        assert f"| `{name}` | {numbers} |" in page
