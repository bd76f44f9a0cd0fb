"""Fixtures that the tests share; what they are built from is in `small_models.py`."""

import os
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent / "training"))  # small_stages
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
import torch
from small_models import COMPOSITIONS, build_model, build_tokenizer
from transformers import PreTrainedTokenizerFast

from nanovlms_hf import NanoVLMsForConditionalGeneration, NanoVLMsImageProcessor, NanoVLMsProcessor

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    return build_tokenizer()


@pytest.fixture
def processor(tokenizer) -> NanoVLMsProcessor:
    """Fits the composition `patches`: 16x16 pixels, four placeholders a picture."""
    image_processor = NanoVLMsImageProcessor(size={"height": 16, "width": 16})
    return NanoVLMsProcessor(image_processor, tokenizer, image_seq_length=4)


@pytest.fixture(params=list(COMPOSITIONS))
def model(request) -> NanoVLMsForConditionalGeneration:
    """Each composition in turn."""
    return build_model(request.param)


@pytest.fixture
def saved(tmp_path, processor) -> str:
    """A folder with the model `patches` and its processor."""
    build_model("patches").save_pretrained(tmp_path / "saved")
    processor.save_pretrained(tmp_path / "saved")
    return str(tmp_path / "saved")
