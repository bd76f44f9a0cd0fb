"""Asks a model about pictures, in batches."""

from collections.abc import Sequence

import torch
from PIL import Image
from transformers import PreTrainedModel, ProcessorMixin


@torch.inference_mode()
def answer_chats(
    model: PreTrainedModel,
    processor: ProcessorMixin,
    pictures: Sequence[Image.Image],
    prompts: Sequence[str],
    batch_size: int = 32,
    max_new_tokens: int = 96,
    **generation_options,
) -> list[str]:
    """What the model answers to one prompt about each picture.

    Args:
        model (`PreTrainedModel`): any image-text-to-text model.
        processor (`ProcessorMixin`): its processor, with a chat template; whatever views of a picture it makes are passed on.
        pictures (`Sequence[PIL.Image.Image]`): the pictures.
        prompts (`Sequence[str]`): the user's words about each picture.
        batch_size (`int`, defaults to 32): pictures encoded at once.
        max_new_tokens (`int`, defaults to 96): longest answer, in tokens; less where the model's context ends before.
        generation_options: passed to `generate`; greedy decoding by default.

    Returns:
        `list[str]`: one answer a picture, special tokens removed.

    Raises:
        ValueError: if there are not as many prompts as pictures, or a prompt leaves no room in the model's context.
    """
    if len(prompts) != len(pictures):
        raise ValueError(f"{len(prompts)} prompts were given for {len(pictures)} pictures; give one for each.")
    was_training = model.training
    model.eval()
    options = {"do_sample": False, **generation_options}
    answers = []
    try:
        for start in range(0, len(pictures), batch_size):
            batch = slice(start, start + batch_size)
            inputs = processor(
                images=[[picture] for picture in pictures[batch]],
                text=[_chat_text(processor, prompt) for prompt in prompts[batch]],
                padding=True,
                padding_side="left",
                add_special_tokens=False,
                return_tensors="pt",
            ).to(model.device)
            length = inputs["input_ids"].shape[1]
            longest = _longest(model, length, max_new_tokens)
            generated = model.generate(**inputs, max_new_tokens=longest, **options)
            words = processor.batch_decode(generated[:, length:], skip_special_tokens=True)
            answers.extend(answer.strip() for answer in words)
    finally:
        model.train(was_training)
    return answers


def describe_pictures(
    model: PreTrainedModel,
    processor: ProcessorMixin,
    pictures: Sequence[Image.Image],
    prompt: str = "Describe the picture.",
    batch_size: int = 32,
    max_new_tokens: int = 96,
    **generation_options,
) -> list[str]:
    """What the model answers to the same prompt about each picture; `answer_chats` tells of the arguments and errors."""
    prompts = [prompt] * len(pictures)
    return answer_chats(model, processor, pictures, prompts, batch_size, max_new_tokens, **generation_options)


def picture_side(model: PreTrainedModel) -> int:
    """Side of the pictures that a model sees, in pixels; of two towers the larger one's."""
    towers = [model.config.vision_config, getattr(model.config, "vocabulary_config", None)]
    return max(tower.image_size for tower in towers if tower is not None)


def _chat_text(processor: ProcessorMixin, prompt: str) -> str:
    chat = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt}]}]
    return processor.apply_chat_template(chat, add_generation_prompt=True)


def _longest(model: PreTrainedModel, length: int, wanted: int) -> int:
    """`wanted` tokens, or as many as fit behind a prompt of `length` tokens."""
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if context is None:
        return wanted
    if length >= context:
        raise ValueError(
            f"a prompt with its picture takes {length} tokens, but the model's context ends at {context}: shorten the prompt, or "
            "use a model with a longer context."
        )
    return min(wanted, context - length)


__all__ = ["answer_chats", "describe_pictures", "picture_side"]
