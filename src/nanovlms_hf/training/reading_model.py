"""The model of stage 1: a vision vocabulary and a small decoder that reads out what it sees, with marks for the tokens.

Vary-tiny (arXiv 2312.06109, section 3.2) trains the vocabulary through the decoder alone. Here each token may be told besides
which characters and which thing it shows (`data/marks.py`); the heads for that are thrown away with the decoder. What the decoder
gets of a token may also be held to the decoder's own words for it, which are a hundredth of the text that teaches it otherwise.
"""

import torch
from torch import nn

from ..configuration_nanovlms import NanoVLMsConfig
from ..data.marks import IGNORED
from ..modeling_nanovlms import NanoVLMsForConditionalGeneration
from .mark_heads import MarkHeads


class _WithLoss(torch.autograd.Function):
    """Features as they are, whose gradient trains a second loss too."""

    @staticmethod
    def forward(context, features: torch.Tensor, loss: torch.Tensor, scale: float) -> torch.Tensor:
        context.scale = scale
        context.save_for_backward(loss.detach())
        return features.view_as(features)

    @staticmethod
    def backward(context, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        return gradient, torch.full_like(context.saved_tensors[0], context.scale), None


class ReadingModel(NanoVLMsForConditionalGeneration):
    """A nanovlms model whose vision tower is a vision vocabulary, with heads for the marks of its tokens.

    `forward` takes `marks` beside the usual inputs (see `MarkHeads.loss`). TRL's trainer runs the decoder and the head by
    itself, past this class's `forward`, and computes the loss: one that `forward` adds would be lost. So the marks' loss rides
    on the tower's features and is trained whenever these are, scaled by `mark_scale`; `mark_loss` holds its last value. The words'
    loss rides on the connector's output likewise.

    Args:
        config (`NanoVLMsConfig`): with a `nanovlms_vocabulary` as `vision_config`.
        slots (`int`, defaults to 6): characters a token can be marked with.
        mark_weight (`float`, defaults to 1.0): weight of the marks' losses beside the decoder's; 0 trains as the paper does.
        word_weight (`float`, defaults to 0.0): weight of the words' loss (see `word_loss`).

    Raises:
        ValueError: if the vision tower is no vision vocabulary, or a number is out of range.
    """

    _auto_class = None  # its checkpoints are there to resume from and carry no code

    def __init__(self, config: NanoVLMsConfig, slots: int = 6, mark_weight: float = 1.0, word_weight: float = 0.0):
        if config.vision_config.model_type != "nanovlms_vocabulary":
            raise ValueError(
                f"stage 1 trains a vision vocabulary, but the model's tower is a {config.vision_config.model_type!r}; choose a "
                "preset with a vocabulary, such as vary-nano."
            )
        for name, weight in (("mark_weight", mark_weight), ("word_weight", word_weight)):
            if weight < 0:
                raise ValueError(f"{name}={weight} is negative; give 0 or more.")
        super().__init__(config)
        self.mark_weight, self.word_weight = mark_weight, word_weight
        self.mark_heads = MarkHeads(config.vision_hidden_size, slots) if mark_weight else None
        self.post_init()
        self.mark_scale = 1.0
        self.mark_loss: torch.Tensor | None = None
        self._marks: dict[str, torch.Tensor] | None = None
        self._words: torch.Tensor | None = None
        self.model.register_forward_pre_hook(self._take_marks, with_kwargs=True)
        self.model.vision_tower.register_forward_hook(self._add_mark_loss)
        self.model.connector.register_forward_hook(self._add_word_loss)

    def _take_marks(self, _backbone, arguments: tuple, options: dict) -> tuple[tuple, dict]:
        self._marks = options.pop("marks", None)
        self._words = options.pop("words", None)
        return arguments, options

    def _add_mark_loss(self, _tower, _arguments, output):
        marks, self._marks = self._marks, None
        if marks is None or self.mark_heads is None or not self.training:
            return output
        loss = self.mark_weight * self.mark_heads.loss(output.last_hidden_state, marks)
        self.mark_loss = loss.detach()
        output.last_hidden_state = _WithLoss.apply(output.last_hidden_state, loss, self.mark_scale)
        return output

    def _add_word_loss(self, _connector, _arguments, output: torch.Tensor) -> torch.Tensor:
        words, self._words = self._words, None
        if words is None or not self.word_weight or not self.training:
            return output
        loss = self.word_weight * word_loss(output, words, self.get_output_embeddings().weight)
        return _WithLoss.apply(output, loss, self.mark_scale)


def word_loss(tokens: torch.Tensor, words: torch.Tensor, head: torch.Tensor) -> torch.Tensor:
    """How far the decoder's inputs for a picture are from saying what they show: mean cross-entropy with all their words.

    Args:
        tokens (`torch.Tensor` of shape `(images, tokens, width)`): what the decoder gets of the pictures; each is scaled to a mean
            square of 1, as by the norm before the head.
        words (`torch.Tensor` of shape `(images, tokens, slots)`): ids of each one's words, all equally right; -100 for none. Tokens
            without a word do not count.
        head (`torch.Tensor` of shape `(vocabulary, width)`): the head's weights.

    Raises:
        ValueError: if the pictures have another number of tokens than there are words for.
    """
    if tokens.shape[:2] != words.shape[:2]:
        raise ValueError(
            f"the connector makes {tokens.shape[1]} tokens of a picture whose {words.shape[1]} squares have words; use a "
            "connector that keeps the tokens, such as linear or mlp, or set word_weight to 0."
        )
    given = words != IGNORED
    spoken = given.any(-1)
    if not spoken.any():
        return tokens.sum() * 0.0
    given, words = given[spoken], words[spoken]
    scaled = nn.functional.rms_norm(tokens[spoken].float(), tokens.shape[-1:])
    chances = (scaled @ head.float().T).log_softmax(-1).gather(1, words.clamp(min=0))  # (spoken, slots)
    return -((chances * given).sum(-1) / given.sum(-1)).mean()


__all__ = ["ReadingModel", "word_loss"]
