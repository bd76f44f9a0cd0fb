"""A small language model that says how expected a text is, trained on text that the graded model never saw.

The graded model's own likelihood would flatter its own habits, and a large public model would have to be downloaded. This one has
0.6 million parameters, learns in one to two minutes on one CPU core from descriptions of scenes of another seed (or from any texts), and
never sees a picture.

`grade` puts a perplexity on the scale of the judge: 10 is what true texts get, 0 what the same words in random order get, in between it is
linear in the log-perplexity. What it does not see: whether the text is true of anything, and sense beyond what its training text
teaches; an unusual but sensible sentence is graded low.
"""

import json
import math
import random
from collections.abc import Sequence
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, GPT2LMHeadModel

from ..data.world import world_texts
from ..tokenization import train_tokenizer

WORLD_SEED = 20_001  # no other stream of the world uses it
_CONTEXT = 160
_LEAST_SCALE = 0.5  # nats a token between the two ends of the scale
_ANCHORS = 200  # texts kept back from training that fix the two ends of the scale


def world_reference_texts(short: int = 8000, long: int = 3000, seed: int = WORLD_SEED) -> list[str]:
    """Descriptions of scenes that no training of the picture world uses, short and long ones mixed."""
    texts = [text for text in list(world_texts("train", short, seed=seed))[1::2]]
    texts += list(world_texts("validation", long, seed=seed, mixture={"long": 1.0}))[1::2]
    random.Random(seed).shuffle(texts)
    return texts


class ReferenceLM:
    """A trained reference model with the two ends of its scale.

    Args:
        model, tokenizer: a causal language model and its tokenizer.
        true_nll, shuffled_nll (`float`): mean negative log-likelihood a token, in nats, of true texts and of their words in
            random order.
    """

    def __init__(self, model, tokenizer, true_nll: float, shuffled_nll: float):
        self.model, self.tokenizer = model.eval(), tokenizer
        self.true_nll, self.shuffled_nll = true_nll, shuffled_nll

    @torch.inference_mode()
    def nll(self, completions: Sequence[str], prefixes: Sequence[str] | None = None) -> list[float]:
        """Negative log-likelihood a token of each completion after its beginning, in nats; infinite for an empty one."""
        prefixes = prefixes if prefixes is not None else [""] * len(completions)
        found = []
        for start in range(0, len(completions), 32):
            found += self._batch(completions[start : start + 32], prefixes[start : start + 32])
        return found

    def _batch(self, completions: Sequence[str], prefixes: Sequence[str]) -> list[float]:
        begin = self.tokenizer.eos_token_id
        starts = [[begin, *self.tokenizer(prefix)["input_ids"]] for prefix in prefixes]
        joints = [" " if prefix and text else "" for prefix, text in zip(prefixes, completions, strict=True)]
        ends = [self.tokenizer(f"{joint}{text}")["input_ids"] for joint, text in zip(joints, completions, strict=True)]
        rows = [(start + end)[: self.model.config.n_positions] for start, end in zip(starts, ends, strict=True)]
        width = max(map(len, rows))
        ids = torch.full((len(rows), width), begin)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = torch.tensor(row)
        logits = self.model(ids).logits  # (batch, width, vocabulary); padding stands behind and cannot be seen
        losses = cross_entropy(logits[:, :-1].transpose(1, 2), ids[:, 1:], reduction="none")
        found = []
        for place, (start, row) in enumerate(zip(starts, rows, strict=True)):
            scored = losses[place, len(start) - 1 : len(row) - 1]
            found.append(float(scored.mean()) if len(scored) else math.inf)
        return found

    def grade(self, nll: float) -> float:
        """A negative log-likelihood a token as a grade from 0 to 10."""
        share = (self.shuffled_nll - nll) / (self.shuffled_nll - self.true_nll)
        return 10 * min(1.0, max(0.0, share))

    def save(self, folder: str | Path) -> None:
        """Writes model, tokenizer and scale."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        scale = {"true_nll": self.true_nll, "shuffled_nll": self.shuffled_nll}
        (Path(folder) / "scale.json").write_text(json.dumps(scale))

    @classmethod
    def load(cls, folder: str | Path) -> "ReferenceLM":
        """Reads what `save` wrote; raises ValueError where there is none."""
        scale = Path(folder) / "scale.json"
        if not scale.is_file():
            raise ValueError(f"{folder} holds no reference language model; train one with `train_reference_lm`.")
        model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
        return cls(model, tokenizer, **json.loads(scale.read_text()))


def train_reference_lm(
    texts: Sequence[str], *, vocab_size: int = 1024, width: int = 128, layers: int = 2, epochs: int = 2, seed: int = 0
) -> ReferenceLM:
    """Trains the reference model.

    Args:
        texts (`Sequence[str]`): text that the models to be graded were not trained on.
        vocab_size, width, layers, epochs (`int`): its size and training.
        seed (`int`, defaults to 0): seed of weights and order.

    Raises:
        ValueError: for fewer than twenty texts, which leave nothing to fix the scale with, or where the model did not learn to tell
            true texts from their words in random order.
    """
    if len(texts) < 20:
        raise ValueError(
            f"{len(texts)} texts are too few for a reference language model; give at least 20, better thousands."
        )
    kept = min(_ANCHORS, len(texts) // 10)
    anchors, training = list(texts[:kept]), list(texts[kept:])
    tokenizer = train_tokenizer(training, vocab_size)
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = GPT2LMHeadModel(
            GPT2Config(
                vocab_size=len(tokenizer),
                n_positions=_CONTEXT,
                n_embd=width,
                n_layer=layers,
                n_head=max(1, width // 32),
                resid_pdrop=0.0,
                embd_pdrop=0.0,
                attn_pdrop=0.0,
                bos_token_id=tokenizer.eos_token_id,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            )
        )
        _train(model, tokenizer, training, epochs, generator)
    reference = ReferenceLM(model, tokenizer, 0.0, 1.0)
    rng = random.Random(seed)
    shuffled = [" ".join(rng.sample(text.split(), len(text.split()))) for text in anchors]
    finite = [value for value in reference.nll(anchors) if math.isfinite(value)]
    scrambled = [value for value in reference.nll(shuffled) if math.isfinite(value)]
    reference.true_nll = sum(finite) / len(finite)
    reference.shuffled_nll = sum(scrambled) / len(scrambled)
    if reference.shuffled_nll - reference.true_nll < _LEAST_SCALE:
        raise ValueError(
            f"the reference language model finds true texts ({reference.true_nll:.2f} nats a token) hardly likelier than their words "
            f"in random order ({reference.shuffled_nll:.2f}); give it more texts or epochs."
        )
    return reference


def _train(model, tokenizer, texts: list[str], epochs: int, generator: torch.Generator) -> None:
    """Plain AdamW over texts laid end to end, cut into windows of the context's length."""
    end = tokenizer.eos_token_id
    stream = [token for text in texts for token in (end, *tokenizer(text)["input_ids"])]
    length = min(_CONTEXT, len(stream))
    windows = torch.tensor(stream[: len(stream) // length * length]).view(-1, length)  # (windows, context)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01, betas=(0.9, 0.95))
    batch = 16
    steps = max(1, epochs * math.ceil(len(windows) / batch))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps + 1, pct_start=0.1)
    model.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(windows), generator=generator).split(batch):
            loss = model(windows[rows], labels=windows[rows]).loss
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()


__all__ = ["WORLD_SEED", "ReferenceLM", "train_reference_lm", "world_reference_texts"]
