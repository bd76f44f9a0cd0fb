"""The peak memory of a training step, by component, from a trace on fake tensors."""

import warnings
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from unittest import mock

import torch
from torch import nn
from trl.kernels import chunked_logprob
from trl.trainer import utils as trl_utils

from .models import adapt, build_model, chat_inputs, dense_inputs, mark_inputs, picture_shape, to_fake
from .optimizers import PlannedOptimizer
from .tracing import COMPONENTS, LiveBytes, fake_mode
from .workload import Workload

_METRICS = {
    "sft": ("log_probs", "entropy", "is_top1"),
    "vocabulary": ("log_probs", "entropy", "is_top1"),
    "dpo": ("log_probs", "entropy", "mean_logits", "is_top1"),
    "grpo": ("log_probs", "entropy"),
}


@dataclass(frozen=True)
class Prediction:
    """What a training step takes.

    Args:
        components (`dict[str, int]`): bytes of each component at the moment of the peak.
        parameters, trained (`int`): parameters of the model, and those that train.
        moment (`str`): when the peak is reached: `forward`, `backward`, `optimizer` or `generation`.
    """

    components: dict[str, int] = field(default_factory=dict)
    parameters: int = 0
    trained: int = 0
    moment: str = ""

    @property
    def tensors(self) -> int:
        """Bytes of all tensors at the peak."""
        return sum(self.components.values())


class StepTrace:
    """Bytes by component at every moment of a training step.

    Args:
        workload (`Workload`): the step.
    """

    def __init__(self, workload: Workload):
        self.workload = workload
        self.moments: list[tuple[str, int]] = []  # name, and where it starts in the timeline
        self.timeline: list[tuple[int, ...]] = []
        self.parameters = self.trained = 0
        with _as_on(workload.device), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of kernels that a trace does not run
            self._run()

    def prediction(self) -> Prediction:
        """The step's peak."""
        return self._at(max(range(len(self.timeline)), key=lambda index: sum(self.timeline[index])), self.timeline)

    def _at(self, index: int, timeline: list) -> Prediction:
        moment = [name for name, start in self.moments if start <= index][-1]
        return Prediction(dict(zip(COMPONENTS, timeline[index], strict=True)), self.parameters, self.trained, moment)

    def _run(self) -> None:
        workload = self.workload
        model, self.parameters = build_model(workload)
        if workload.kind in _METRICS:
            trl_utils.add_fused_lm_head(model, outputs=_METRICS[workload.kind])
        reference = None
        if workload.reference and workload.lora is None and workload.kind in ("dpo", "grpo"):
            reference, _ = build_model(workload.with_(frozen=(), checkpointing=False))
            trl_utils.add_fused_lm_head(reference, outputs=_METRICS[workload.kind])
        base, model = model, adapt(model, workload.lora) if workload.lora is not None else model
        if workload.kind == "dpo":
            trl_utils.disable_dropout_in_model(model)
        counter = LiveBytes(_widths(workload))
        with fake_mode():
            to_fake(model)
            if reference is not None:
                to_fake(reference)
                reference.requires_grad_(False)
            self.trained = sum(p.numel() for p in _unique(model.parameters()) if p.requires_grad)
            with counter:
                counter.hold([*model.parameters(), *model.buffers()], "weights")
                if reference is not None:
                    counter.hold([*reference.parameters(), *reference.buffers()], "reference")
                self._step(model, base, reference, counter)
        self.timeline = counter.timeline

    def _step(self, model: nn.Module, base: nn.Module, reference: nn.Module | None, counter: LiveBytes) -> None:
        workload = self.workload
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        optimizer = PlannedOptimizer(model, workload.optim, workload.muon, workload.device)
        with counter.labelled("gradients"):
            for parameter in trained:
                parameter.grad = torch.empty_like(parameter)
        optimizer.step()  # the first step makes the states
        counter.hold(optimizer.states(), "optimizer")
        if workload.accumulation == 1:  # else the gradients of the first micro-batch are there during the second
            for parameter in trained:
                parameter.grad = None
        counter.timeline.clear()
        for parameter in trained:
            parameter.register_post_accumulate_grad_hook(lambda done: counter.hold([done.grad], "gradients"))
        with counter.labelled("inputs"):
            waiting = [self._inputs() for _ in range(self._batches_held())]
        if workload.kind == "grpo":
            self.moments.append(("generation", len(counter.timeline)))
            _write_answers(base, workload, waiting[0])
        self.moments.append(("forward", len(counter.timeline)))
        loss = self._loss(model, reference, waiting[0])
        self.moments.append(("backward", len(counter.timeline)))
        loss.backward()
        del loss
        self.moments.append(("optimizer", len(counter.timeline)))
        if workload.max_grad_norm:
            torch.nn.utils.clip_grad_norm_(trained, workload.max_grad_norm)
        optimizer.step()
        counter.timeline.append(tuple(counter.live.values()))

    def _batches_held(self) -> int:
        # Trainer takes the micro-batches of an update before the first; accelerate has one more ready, in the CPU's memory.
        return self.workload.accumulation + (self.workload.device == "cpu")

    def _inputs(self) -> dict:
        if self.workload.kind == "tower":
            return dense_inputs(self.workload)
        if self.workload.kind == "marks":
            pictures = torch.empty(self.workload.batch, *picture_shape(self.workload.config.vision_config))
            return {"pixel_values": pictures, "marks": mark_inputs(self.workload, self.workload.batch)}
        return chat_inputs(self.workload)

    def _loss(self, model: nn.Module, reference: nn.Module | None, inputs: dict) -> torch.Tensor:
        workload = self.workload
        if workload.kind in ("tower", "marks"):
            with self._autocast():
                return model(**inputs)["loss"]
        with self._autocast():
            outputs = model(**inputs, fused_lm_head=True)
        scores = outputs.log_probs
        if workload.kind in ("sft", "vocabulary"):
            return -scores.sum() / outputs.label_mask.sum().clamp(min=1)
        if workload.reference:
            without_adapter = model.disable_adapter() if reference is None else nullcontext()
            with torch.no_grad(), without_adapter, self._autocast():
                known = (reference or model)(**inputs, fused_lm_head=True).log_probs
        else:
            known = torch.zeros_like(scores)
        return -nn.functional.logsigmoid((scores - known).sum(dim=1)).mean()

    def _autocast(self):
        return torch.autocast("cpu", torch.bfloat16) if self.workload.bf16 else nullcontext()


def _write_answers(model: nn.Module, workload: Workload, inputs: dict) -> None:
    """The moment at which generation takes most: all keys and values, and the logits of the last position."""
    rows = max(workload.generated, workload.batch)
    given = chat_inputs(workload.with_(batch=rows))
    given.pop("labels")
    with torch.no_grad():
        outputs = model(**given, use_cache=True, logits_to_keep=1)
        outputs.logits.float().softmax(-1)


@contextmanager
def _as_on(device: str):
    """Makes a trace on CPU tensors take what a GPU would: attention without a table of weights, TRL's Triton kernels."""
    if device != "cuda":
        yield
        return
    attend = nn.functional.scaled_dot_product_attention

    def without_dropout(*args, **kwargs):  # a GPU's kernels drop in passing; a CPU's fall back to the whole table
        return attend(*args, **(kwargs | {"dropout_p": 0.0}))

    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(nn.functional, "scaled_dot_product_attention", without_dropout))
        stack.enter_context(mock.patch.object(trl_utils, "_use_triton", lambda device: True))
        for tile in ("_forward_tile", "_backward_tile"):  # Triton's kernels work in place
            stack.enter_context(mock.patch.object(chunked_logprob, tile, lambda *args, **kwargs: None))
        # a GPU adds a bf16 product to an fp32 sum without a copy
        stack.enter_context(mock.patch.object(chunked_logprob, "_addmm_fp32", lambda *args: None))
        yield


def _widths(workload: Workload) -> tuple[int, ...]:
    if workload.kind not in _METRICS:
        return ()
    return workload.config.get_text_config().vocab_size, trl_utils._CHUNKED_LOGPROB_CHUNK_SIZE


def _unique(parameters) -> list[torch.Tensor]:
    return list({id(parameter): parameter for parameter in parameters}.values())


def predict(workload: Workload) -> Prediction:
    """The peak memory of a training step.

    Args:
        workload (`Workload`): the step.

    Raises:
        ValueError: if the model or optimizer cannot be traced; says why.
    """
    return StepTrace(workload).prediction()


__all__ = ["Prediction", "StepTrace", "predict"]
