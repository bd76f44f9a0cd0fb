"""Processor of the nanovlms family: pictures and chat text in, model inputs out.

transformers' `ProcessorMixin` does the work (placeholder expansion, chat template, checks after truncation); this class
says how many placeholder tokens a picture takes and counts pictures against placeholders before anything is encoded.
This file imports transformers and the standard library only, so that it runs alone from a Hub repository.
"""

import json
from pathlib import Path

from transformers.processing_utils import MultiModalData, ProcessorMixin

if not hasattr(ProcessorMixin, "replace_image_token"):  # transformers 4.57
    from .transformers4_nanovlms import ProcessorMixin

# Roles and the end of a turn are single special tokens, so that a tiny decoder spends nothing on markup. The end-of-turn
# token is inside the generation block: it is supervised, and generation stops on it.
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' }}"
    "{% if message['role'] == 'assistant' %}"
    "{% generation %}"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}"
    "{% endif %}{{ '<|end|>' }}"
    "{% endgeneration %}"
    "{% elif message['content'] is string %}{{ message['content'] + '<|end|>' }}"
    "{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}{{ '<image>' }}{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{{ '<|end|>' }}"
    "{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


class NanoVLMsProcessor(ProcessorMixin):
    """Image processor and tokenizer in one, with the family's chat template.

    Args:
        image_processor (`NanoVLMsImageProcessor`): any image processor that returns one `pixel_values` row a picture.
        tokenizer (`PreTrainedTokenizerFast`): a tokenizer that knows `image_token`.
        image_seq_length (`int`, defaults to 64): placeholder tokens a picture takes; equal to the model's
            `config.image_seq_length`.
        chat_template (`str`, *optional*): Jinja template; the family's own when not given.
        image_token (`str`, defaults to `"<image>"`): the placeholder.

    Raises:
        ValueError: if the tokenizer does not know the placeholder, or if a text's placeholders and its pictures differ in
            number.
    """

    _auto_class = "AutoProcessor"  # saved processors carry this file

    def __init__(
        self,
        image_processor=None,
        tokenizer=None,
        image_seq_length=64,
        chat_template=None,
        image_token="<image>",
        **kwargs,
    ):
        self.image_seq_length = image_seq_length
        self.image_token = getattr(tokenizer, "image_token", None) or image_token
        self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
        if self.image_token_id is None or self.image_token_id == tokenizer.unk_token_id:
            raise ValueError(
                f"the tokenizer does not know the placeholder {self.image_token!r}; add it with "
                f"tokenizer.add_special_tokens({{'additional_special_tokens': [{self.image_token!r}]}}) and resize the "
                "model's embeddings."
            )
        super().__init__(image_processor, tokenizer, chat_template=chat_template or CHAT_TEMPLATE)

    def save_pretrained(self, save_directory, push_to_hub=False, **kwargs):
        """As transformers' own; the tokenizer is written in words that transformers 4 reads too."""
        if push_to_hub:  # what is uploaded is what `push_to_hub` saves through this method
            raise ValueError("save_pretrained(push_to_hub=True) is not supported; call push_to_hub(repo_id) instead.")
        # A tokenizer keeps the truncation and padding of its last call, and a loaded one would go on with them.
        backend = getattr(self.tokenizer, "backend_tokenizer", None)
        if backend is not None:
            backend.no_truncation()
            backend.no_padding()
        files = super().save_pretrained(save_directory, **kwargs)
        vars(self).pop("auto_map", None)  # written to disk by now; a loaded processor has none either
        path = Path(save_directory) / "tokenizer_config.json"
        if path.is_file():
            fields = readable_by_transformers_4(json.loads(path.read_text(encoding="utf-8")))
            path.write_text(json.dumps(fields, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        return files

    def replace_image_token(self, image_inputs: dict, image_idx: int, **kwargs) -> str:
        """The placeholder text of one picture, `image_seq_length` tokens long."""
        return self.image_token * self.image_seq_length

    def validate_inputs(self, images=None, text=None, videos=None, audio=None, **kwargs):
        """Counts pictures against placeholders before anything is encoded; see the class for what it raises."""
        if isinstance(text, str):
            text = [text]
        if isinstance(text, (list, tuple)) and all(isinstance(sample, str) for sample in text):
            self._check_counts(images, text)
        super().validate_inputs(images=images, text=text, videos=videos, audio=audio, **kwargs)

    def _check_counts(self, images, texts: list[str]):
        expected = [sample.count(self.image_token) for sample in texts]
        pictures = _pictures_of_each_text(images, len(texts))
        given = sum(pictures) if isinstance(pictures, list) else pictures
        if given != sum(expected) or (isinstance(pictures, list) and pictures != expected):
            # transformers' own tests look for the words of the first clause.
            raise ValueError(
                f"the {self.image_token} tokens in the prompts should be the same as the number of pictures, but the texts "
                f"hold {expected} placeholders and {pictures} picture(s) were given; put exactly one {self.image_token} into "
                "the text (or one image block into the message) for each picture."
            )

    def _get_num_multimodal_tokens(self, image_sizes=None, **kwargs):
        """Placeholder tokens for pictures of the given `(height, width)` sizes, as vLLM asks for them."""
        if image_sizes is None:
            return MultiModalData()
        return MultiModalData(
            num_image_tokens=[self.image_seq_length] * len(image_sizes), num_image_patches=[1] * len(image_sizes)
        )


def readable_by_transformers_4(fields: dict) -> dict:
    """A `tokenizer_config.json` of transformers 5 in the names of transformers 4, which both versions read.

    Args:
        fields (`dict`): its content; it is not changed.
    """
    fields = dict(fields)
    if fields.get("tokenizer_class") == "TokenizersBackend":
        fields["tokenizer_class"] = "PreTrainedTokenizerFast"
        fields.pop("backend", None)
    if isinstance(fields.get("extra_special_tokens"), list):
        fields["additional_special_tokens"] = fields.pop("extra_special_tokens")
    return fields


def _pictures_of_each_text(images, texts: int) -> list[int] | int:
    """Pictures a text where the caller grouped them (a list of lists), else their total."""
    if images is None:
        return 0
    if not isinstance(images, (list, tuple)):
        shape = getattr(images, "shape", ())
        return shape[0] if len(shape) == 4 else 1
    if len(images) == texts and all(isinstance(group, (list, tuple)) for group in images):
        return [len(group) for group in images]
    return sum(
        len(group) if isinstance(group, (list, tuple)) else (group.shape[0] if getattr(group, "ndim", 0) == 4 else 1)
        for group in images
    )


__all__ = ["CHAT_TEMPLATE", "NanoVLMsProcessor", "readable_by_transformers_4"]
