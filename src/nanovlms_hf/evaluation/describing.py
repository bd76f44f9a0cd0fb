"""Asks a model about pictures, in batches."""

from collections.abc import Sequence

import torch
from PIL import Image
from transformers import PreTrainedModel, ProcessorMixin


@torch.inference_mode()
def describe_pictures(
    model: PreTrainedModel,
    processor: ProcessorMixin,
    pictures: Sequence[Image.Image],
    prompt: str = "Describe the picture.",
    batch_size: int = 32,
    max_new_tokens: int = 96,
    **generation_options,
) -> list[str]:
    """What the model answers to the same prompt about each picture.

    Args:
        model (`PreTrainedModel`): any image-text-to-text model.
        processor (`ProcessorMixin`): its processor, with a chat template.
        pictures (`Sequence[PIL.Image.Image]`): the pictures.
        prompt (`str`): the user's words.
        batch_size (`int`, defaults to 32): pictures encoded at once.
        max_new_tokens (`int`, defaults to 96): longest answer, in tokens.
        generation_options: passed to `generate`; greedy decoding by default.

    Returns:
        `list[str]`: one answer a picture, special tokens removed.
    """
    was_training = model.training
    model.eval()
    chat = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt}]}]
    text = processor.apply_chat_template(chat, add_generation_prompt=True)
    answers = []
    try:
        for start in range(0, len(pictures), batch_size):
            batch = list(pictures[start : start + batch_size])
            inputs = processor(
                images=[[picture] for picture in batch],
                text=[text] * len(batch),
                padding=True,
                padding_side="left",
                add_special_tokens=False,
                return_tensors="pt",
            ).to(model.device)
            options = {"do_sample": False, **generation_options}
            generated = model.generate(**inputs, max_new_tokens=max_new_tokens, **options)
            words = processor.batch_decode(generated[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
            answers.extend(answer.strip() for answer in words)
    finally:
        model.train(was_training)
    return answers


__all__ = ["describe_pictures"]
