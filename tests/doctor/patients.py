"""Healthy models of four kinds with processors and rows, in which tests plant one fault at a time."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from PIL import Image
from small_models import build_tokenizer, build_two_towers, picture, text_fields, two_towers, vision_fields
from transformers import (
    CLIPVisionConfig,
    Idefics3ImageProcessorPil,
    Idefics3Processor,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
)
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from nanovlms_hf import NanoVLMsConfig, NanoVLMsForConditionalGeneration, NanoVLMsImageProcessor, NanoVLMsProcessor
from nanovlms_hf.doctor import Report, diagnose
from nanovlms_hf.processing_nanovlms import CHAT_TEMPLATE

END, PAD = 1, 0
TOWER = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
TOWER |= {"image_size": 16, "patch_size": 8}


def row(seed: int, asked: str = "what is it?", answer: str = "a red dog", pictures: int = 1) -> dict[str, Any]:
    """A chat about pictures of noise."""
    said = [{"type": "image"}] * pictures + [{"type": "text", "text": asked}]
    messages = [{"role": "user", "content": said}]
    messages.append({"role": "assistant", "content": [{"type": "text", "text": answer}]})
    return {"images": [picture(seed + index, 40, 30) for index in range(pictures)], "messages": messages}


def rows() -> list[dict[str, Any]]:
    """Three chats: one picture, none, two."""
    return [row(1), row(2, "and why?", "for the cat is on the mat", pictures=0), row(3, "where are they?", "here", 2)]


@dataclass
class Patient:
    """What `diagnose` takes."""

    model: Any
    processor: Any
    rows: list[dict[str, Any]] = field(default_factory=rows)
    collator: Callable | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def examined(self) -> Report:
        """What the doctor says."""
        return diagnose(self.model, self.processor, self.rows, self.collator, **self.options)

    @property
    def is_ours(self) -> bool:
        """Whether the model is one of this family's."""
        return isinstance(self.model, NanoVLMsForConditionalGeneration)

    def codes(self) -> list[str]:
        """The findings' codes."""
        return [finding.code for finding in self.examined().findings]


def ours() -> Patient:
    torch.manual_seed(0)
    config = NanoVLMsConfig(
        vision_config=vision_fields(stem="linear"),
        text_config=text_fields(tie_word_embeddings=False),
        connector="linear",
    )
    processor = NanoVLMsProcessor(
        NanoVLMsImageProcessor(size={"height": 16, "width": 16}), build_tokenizer(), image_seq_length=4
    )
    return Patient(NanoVLMsForConditionalGeneration(config), processor)


def both_towers() -> Patient:
    model = build_two_towers(two_towers())
    model.generation_config.eos_token_id = END
    sizes = {"size": {"height": 16, "width": 16}, "high_res_size": {"height": 32, "width": 32}}
    image_processor = NanoVLMsImageProcessor(**sizes)
    return Patient(model, NanoVLMsProcessor(image_processor, build_tokenizer(), model.config.image_seq_length))


def llava() -> Patient:
    """Llava with a CLIP tower, all of it trainable; a template without a generation block."""
    torch.manual_seed(0)
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**TOWER),
        text_config=LlamaConfig(**{k: v for k, v in text_fields().items() if k != "model_type"}),
        image_token_index=3,
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
    )
    template = CHAT_TEMPLATE.replace("{% generation %}", "").replace("{% endgeneration %}", "")
    processor = LlavaProcessor(
        SiglipImageProcessorPil(size={"height": 16, "width": 16}),
        build_tokenizer(),
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        image_token="<image>",
        chat_template=template,
    )
    return Patient(LlavaForConditionalGeneration(config), processor)


def smolvlm() -> Patient:
    """SmolVLM with Idefics3's processor, which puts tokens around pictures and pads them."""
    torch.manual_seed(0)
    tokenizer = build_tokenizer()
    tokenizer.add_tokens(["<global-img>"], special_tokens=True)
    side = {"longest_edge": 16}
    image_processor = Idefics3ImageProcessorPil(size=side, max_image_size=side, do_image_splitting=False)
    processor = Idefics3Processor(image_processor, tokenizer, image_seq_len=1, chat_template=CHAT_TEMPLATE)
    config = SmolVLMConfig(
        vision_config=TOWER,
        text_config=text_fields(tie_word_embeddings=False, vocab_size=len(processor.tokenizer)),
        scale_factor=2,
        image_token_id=processor.image_token_id,
        pad_token_id=PAD,
        tie_word_embeddings=False,
    )
    return Patient(SmolVLMForConditionalGeneration(config), processor)


KINDS = {"ours": ours, "two towers": both_towers, "llava": llava, "smolvlm": smolvlm}


def connector_of(patient: Patient) -> torch.nn.Module:
    """The module between tower and decoder."""
    inner = patient.model.model
    return inner.multi_modal_projector if hasattr(inner, "multi_modal_projector") else inner.connector


def tower_of(patient: Patient) -> torch.nn.Module:
    """The first tower."""
    inner = patient.model.model
    return inner.vision_model if hasattr(inner, "vision_model") else inner.vision_tower


def one_colour(red: int = 200) -> Image.Image:
    """A picture without contrast."""
    return Image.new("RGB", (40, 30), (red, 90, 40))
