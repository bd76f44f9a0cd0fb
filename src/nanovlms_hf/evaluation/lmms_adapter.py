"""The family in lmms-eval: `lmms-eval --model nanovlms --model_args pretrained=runs/demo --tasks docvqa_val`.

lmms-eval finds this file through the entry point of this package, `lmms_entry.py`. An adapter of its own is needed: the generic
`huggingface` one compares a model type with configuration classes, never finds it, and falls back to `AutoModel`, which cannot
generate. Interface read from lmms-eval 0.7.3 (`api/model.py`, `models/registry_v2.py`, `api/task.py`).

lmms-eval is imported here only, so nothing else of this package needs it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from lmms_eval.api.model import lmms
from PIL import Image
from torch.nn.functional import log_softmax
from transformers import AutoModelForImageTextToText, AutoProcessor

from .. import registration
from ..data.pictures import open_picture

_PASSED_ON = ("do_sample", "temperature", "top_p", "top_k", "num_beams", "repetition_penalty", "length_penalty")


class NanoVLMs(lmms):
    """Any image-text-to-text model of transformers with a chat template, the nanovlms family first of all.

    Args:
        pretrained (`str`): model directory or Hub id.
        device (`str`, *optional*): "cuda", "cpu", ...; a GPU where there is one when not given.
        dtype (`str`, defaults to "auto"): of the weights; 32-bit on a CPU.
        batch_size (`int`, defaults to 1): requests generated at once.
        max_new_tokens (`int`, defaults to 128): where a task names none.
        revision (`str`, *optional*): commit of a Hub model.
        trust_remote_code (`bool`, defaults to False): for models whose code lies on the Hub.

    Raises:
        ValueError: for an unknown argument.
    """

    is_simple = False  # requests carry chat messages, not a prompt and a list of pictures

    def __init__(
        self,
        pretrained: str,
        device: str | None = None,
        dtype: str = "auto",
        batch_size: int | str = 1,
        max_new_tokens: int | str = 128,
        revision: str | None = None,
        trust_remote_code: bool | str = False,
        **kwargs,
    ):
        super().__init__()
        if kwargs:
            raise ValueError(f"the model nanovlms does not know the arguments {sorted(kwargs)}; see its docstring.")
        from accelerate import Accelerator

        registration.register()
        accelerator = Accelerator()
        self._rank, self._world_size = accelerator.process_index, accelerator.num_processes
        self._device = torch.device(device) if device and self._world_size == 1 else accelerator.device
        options = {"revision": revision, "trust_remote_code": str(trust_remote_code).lower() == "true"}
        dtype = "float32" if self._device.type == "cpu" and dtype == "auto" else dtype
        self._model = AutoModelForImageTextToText.from_pretrained(pretrained, dtype=dtype, **options)
        self._model = self._model.to(self._device).eval()
        self.processor = AutoProcessor.from_pretrained(pretrained, **options)
        self.batch_size_per_gpu, self.max_new_tokens = int(batch_size), int(max_new_tokens)

    @property
    def model(self):
        return self._model

    @property
    def tokenizer(self):
        return self.processor.tokenizer

    @property
    def device(self):
        return self._device

    @property
    def batch_size(self) -> int:
        return self.batch_size_per_gpu

    @property
    def rank(self) -> int:
        return self._rank

    @property
    def world_size(self) -> int:
        return self._world_size

    def generate_until(self, requests: Sequence[Any]) -> list[str]:
        """One answer a request, in the order of the requests.

        `request.args` is (context, doc_to_messages, generation arguments, document number, task, split); the document is
        `self.task_dict[task][split][number]`.
        """
        answers: list[str] = [""] * len(requests)
        groups: dict[str, list[int]] = {}
        for place, request in enumerate(requests):
            groups.setdefault(repr(sorted((request.args[2] or {}).items(), key=str)), []).append(place)
        for places in groups.values():
            for start in range(0, len(places), self.batch_size):
                batch = places[start : start + self.batch_size]
                for place, answer in zip(batch, self._generate([requests[k].args for k in batch]), strict=True):
                    answers[place] = answer
                    request = requests[place]
                    self.cache_hook.add_partial("generate_until", (request.args[0], request.args[2]), answer)
        return answers

    def _generate(self, arguments: list[tuple]) -> list[str]:
        chats = [
            self._messages(make(self.task_dict[task][split][number])) for _, make, _, number, task, split in arguments
        ]
        given = dict(arguments[0][2] or {})
        inputs = self._encode([chat for chat, _ in chats], [pictures for _, pictures in chats])
        options = {name: given[name] for name in _PASSED_ON if given.get(name) is not None}
        if not options.get("do_sample") and not (options.get("temperature") or 0) > 0:
            options = {key: value for key, value in options.items() if key not in ("temperature", "top_p", "top_k")}
            options["do_sample"] = False
        else:
            options["do_sample"] = True
        length = int(given.get("max_new_tokens") or given.get("max_gen_toks") or self.max_new_tokens)
        with torch.inference_mode():
            generated = self._model.generate(**inputs, max_new_tokens=length, **options)
        words = self.processor.batch_decode(generated[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        return [_until(text, given.get("until")) for text in words]

    def _messages(self, messages: Sequence[Any]) -> tuple[list[dict], list[Image.Image]]:
        """Chat messages of lmms-eval (dicts, `{"type": "image", "url": picture}`) as ours, and their pictures."""
        chat, pictures = [], []
        for message in messages:
            content = message["content"]
            if isinstance(content, str):
                content = [{"type": "text", "text": content}]
            blocks = []
            for part in content:
                if part["type"] == "text":
                    blocks.append({"type": "text", "text": part["text"]})
                elif part["type"] == "image":
                    pictures.append(open_picture(part.get("url", part.get("image")), "a picture of the task"))
                    blocks.append({"type": "image"})
                else:
                    raise ValueError(f"the task sends {part['type']}; nanovlms models take pictures and text only.")
            chat.append({"role": message["role"], "content": blocks})
        return chat, pictures

    def _encode(
        self, chats: list[list[dict]], pictures: list[list[Image.Image]], endings: Sequence[str] | None = None
    ):
        texts = [
            self.processor.apply_chat_template(chat, add_generation_prompt=True, tokenize=False) for chat in chats
        ]
        texts = [text + end for text, end in zip(texts, endings or [""] * len(texts), strict=True)]
        flat = [picture for group in pictures for picture in group]
        images = pictures if flat and all(pictures) else flat or None
        encoded = self.processor(
            images=images,
            text=texts,
            padding=True,
            padding_side="left",
            add_special_tokens=False,
            return_tensors="pt",
        )
        return encoded.to(self._device)

    def loglikelihood(self, requests: Sequence[Any]) -> list[tuple[float, bool]]:
        """(log-likelihood, whether greedy decoding would say it) of a continuation, for each request.

        `request.args` is (context, continuation or a function of the document, doc_to_visual, document number, task, split), or only the
        first two where there is no picture.
        """
        return [self._likelihood(*request.args) for request in requests]

    @torch.inference_mode()
    def _likelihood(
        self, context: str, target: str | Callable, visual: Callable | None = None, number=None, task=None, split=None
    ) -> tuple[float, bool]:
        document = None if task is None else self.task_dict[task][split][number]
        continuation = target if isinstance(target, str) else str(target(document))
        pictures = [
            open_picture(picture, "a picture of the task") for picture in (visual(document) if visual else None) or []
        ]
        blocks = [{"type": "image"} for _ in pictures] + [{"type": "text", "text": context}]
        chat = [{"role": "user", "content": blocks}]
        start = self._encode([chat], [pictures])["input_ids"].shape[1]
        inputs = self._encode([chat], [pictures], [continuation])
        ids = inputs["input_ids"][0]
        scores = log_softmax(self._model(**inputs).logits[0].float(), dim=-1)  # (length, vocabulary)
        wanted = ids[start:]
        said = scores[start - 1 : len(ids) - 1]
        total = float(said.gather(1, wanted[:, None]).sum())
        return total, bool((said.argmax(-1) == wanted).all())

    def generate_until_multi_round(self, requests: Sequence[Any]) -> list[str]:
        """Not offered: no model of the family is trained on talks that depend on its own earlier answers."""
        raise NotImplementedError("nanovlms models answer one turn; choose a task that asks once.")


def _until(text: str, stops: str | Sequence[str] | None) -> str:
    for stop in [stops] if isinstance(stops, str) else stops or []:
        if stop:
            text = text.split(stop)[0]
    return text.strip()


__all__ = ["NanoVLMs"]
