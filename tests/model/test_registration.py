"""First-class citizenship: every door of transformers and TRL that takes a name or a folder opens on our classes."""

import os
import subprocess
import sys

import pytest
import torch
import transformers
from small_models import build_inputs, picture
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModel,
    AutoModelForImageTextToText,
    AutoModelForMultimodalLM,
    AutoProcessor,
    AutoTokenizer,
    pipeline,
)
from transformers.models.auto import modeling_auto

from nanovlms_hf import (
    AutoModelForVision2Seq,
    NanoVLMsConfig,
    NanoVLMsForConditionalGeneration,
    NanoVLMsImageProcessor,
    NanoVLMsModel,
    NanoVLMsProcessor,
    NanoVLMsVisionModel,
    register,
)


def test_auto_classes_of_a_saved_folder(saved):
    assert type(AutoConfig.from_pretrained(saved)) is NanoVLMsConfig
    assert type(AutoModel.from_pretrained(saved)) is NanoVLMsModel
    for auto in (AutoModelForImageTextToText, AutoModelForMultimodalLM, AutoModelForVision2Seq):
        assert type(auto.from_pretrained(saved)) is NanoVLMsForConditionalGeneration
    assert type(AutoImageProcessor.from_pretrained(saved)) is NanoVLMsImageProcessor
    assert AutoImageProcessor.from_pretrained(saved).size == {"height": 16, "width": 16}
    processor = AutoProcessor.from_pretrained(saved)
    assert type(processor) is NanoVLMsProcessor and processor.image_seq_length == 4
    tokenizer = AutoTokenizer.from_pretrained(saved)
    assert tokenizer.convert_tokens_to_ids("<image>") == 3 and tokenizer.chat_template == processor.chat_template


def test_auto_classes_of_a_configuration(saved):
    config = AutoConfig.from_pretrained(saved)
    assert type(AutoModelForImageTextToText.from_config(config)) is NanoVLMsForConditionalGeneration
    assert type(AutoModel.from_config(config.vision_config)) is NanoVLMsVisionModel
    register()  # twice is no harm


def test_names_tables_that_serve_reads():
    name = "NanoVLMsForConditionalGeneration"
    assert modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES["nanovlms"] == name
    assert modeling_auto.MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES["nanovlms"] == name
    assert modeling_auto.MODEL_MAPPING_NAMES["nanovlms"] == "NanoVLMsModel"
    assert getattr(transformers, name) is NanoVLMsForConditionalGeneration
    assert transformers.NanoVLMsModel is NanoVLMsModel


def test_pipeline(saved):
    generate = pipeline("image-text-to-text", model=saved)
    assert type(generate.model) is NanoVLMsForConditionalGeneration
    messages = [
        {
            "role": "user",
            "content": [{"type": "image", "image": picture()}, {"type": "text", "text": "what is in the picture?"}],
        }
    ]
    (answer,) = generate(messages, max_new_tokens=4, do_sample=False)
    assert answer["generated_text"][-1]["role"] == "assistant"
    both = generate([messages, messages], max_new_tokens=4, do_sample=False)
    assert both[0][0]["generated_text"][-1] == both[1][0]["generated_text"][-1] == answer["generated_text"][-1]
    plain = generate(images=picture(), text="<image>what", max_new_tokens=4, do_sample=False)
    assert plain[0]["generated_text"].startswith("what") or plain[0]["generated_text"].startswith("<image>")


@pytest.mark.parametrize(
    "lines",
    [
        "import transformers; import nanovlms_hf; from transformers import AutoModelForVision2Seq as A",
        "import nanovlms_hf; from transformers.models.auto import AutoModelForVision2Seq as B; "
        "from transformers.models.auto.modeling_auto import AutoModelForVision2Seq as C; "
        "from transformers import AutoModelForVision2Seq as A; assert A is B is C",
        "import nanovlms_hf; import transformers.processing_utils; from transformers import AutoModelForVision2Seq as A",
        "import transformers as early; import transformers.processing_utils; import nanovlms_hf; "
        "A = early.AutoModelForVision2Seq; early.NanoVLMsForConditionalGeneration",
    ],
    ids=["transformers-first", "package-first", "processing-between", "early-object"],
)
def test_the_removed_auto_class_in_every_import_order(lines):
    check = (
        "; import pickle, nanovlms_hf as n, transformers as t"
        "; assert A is n.AutoModelForVision2Seq, A"
        "; assert pickle.loads(pickle.dumps(A)) is A"
        "; assert pickle.loads(pickle.dumps(t.NanoVLMsForConditionalGeneration)) is n.NanoVLMsForConditionalGeneration"
        "; c = n.NanoVLMsConfig(vision_config=dict(image_size=16, patch_size=8, hidden_size=8, num_attention_heads=2),"
        " text_config=dict(model_type='llama', vocab_size=20, hidden_size=8, intermediate_size=8, num_hidden_layers=1,"
        " num_attention_heads=2))"
        "; assert type(A.from_config(c)) is n.NanoVLMsForConditionalGeneration"
    )
    done = subprocess.run([sys.executable, "-c", lines + check], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


@torch.no_grad()
def test_trl_loads_our_class_from_a_path(saved):
    trl_utils = pytest.importorskip("trl.trainer.utils")
    model = trl_utils.create_model_from_path(saved)
    assert type(model) is NanoVLMsForConditionalGeneration and model.dtype == torch.float32
    inputs = build_inputs(model, (1,))
    expected = NanoVLMsForConditionalGeneration.from_pretrained(saved)(**inputs).logits
    assert torch.equal(model(**inputs).logits, expected)


def test_a_saved_folder_runs_where_this_package_is_not_imported(saved, tmp_path):
    code = (
        "import sys, torch; from transformers import AutoModelForImageTextToText as A; "
        f"m = A.from_pretrained({saved!r}, trust_remote_code=True); "
        "assert 'nanovlms_hf' not in sys.modules; "
        "print(type(m).__name__, sum(p.sum().item() for p in m.parameters()))"
    )
    environment = os.environ | {"HF_MODULES_CACHE": str(tmp_path / "modules")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    total = sum(p.sum().item() for p in NanoVLMsForConditionalGeneration.from_pretrained(saved).parameters())
    assert done.stdout.split() == ["NanoVLMsForConditionalGeneration", str(total)]
