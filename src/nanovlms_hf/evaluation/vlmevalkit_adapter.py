"""The family in VLMEvalKit, without patching it:

python -m nanovlms_hf.evaluation.vlmevalkit_adapter runs/demo VLMEvalKit/run.py --data MMStar --model nanovlms

VLMEvalKit keeps its models in a table, `vlmeval.config.supported_VLM`; this puts one more into it and then runs its own script in
the same process. Interface read from its `vlmeval/vlm/base.py` and `inference.py`; VLMEvalKit itself was not at hand to run.
"""

import runpy
import sys
from functools import partial

import torch
from transformers import AutoModelForImageTextToText, AutoProcessor
from vlmeval.vlm.base import BaseModel

from ..data.pictures import open_picture
from .generating import Asked, answer_batch
from .items import MARKER, Item


class NanoVLMs(BaseModel):
    """A saved model of the family, or any image-text-to-text model with a chat template.

    Args:
        model_path (`str`): model directory or Hub id.
        max_new_tokens (`int`, defaults to 256): longest answer, in tokens.
    """

    INTERLEAVE = True

    def __init__(self, model_path: str, max_new_tokens: int = 256, **_):
        device = "cuda" if torch.cuda.is_available() else "cpu"
        dtype = "auto" if device == "cuda" else "float32"
        self.model = AutoModelForImageTextToText.from_pretrained(model_path, dtype=dtype).to(device).eval()
        self.processor = AutoProcessor.from_pretrained(model_path)
        self.max_new_tokens = max_new_tokens

    def generate_inner(self, message: list[dict], dataset: str | None = None) -> str:
        """The answer to a list of {"type": "image" or "text", "value": path or words}."""
        paths = [part["value"] for part in message if part["type"] == "image"]
        words = [MARKER if part["type"] == "image" else part["value"].replace(MARKER, "[image]") for part in message]
        item = Item("message", dataset or "VLMEvalKit", "".join(words), paths, {}, "")
        pictures = [open_picture(path, f"the picture {path}") for path in paths]
        (answer,) = answer_batch(self.model, self.processor, [Asked(item, pictures)], self.max_new_tokens)
        if answer is None:
            raise ValueError(
                "the question alone fills the model's context; choose a benchmark with shorter questions."
            )
        return answer


def register(model_path: str, name: str = "nanovlms") -> None:
    """Adds a model to VLMEvalKit's table under a name."""
    from vlmeval.config import supported_VLM

    supported_VLM[name] = partial(NanoVLMs, model_path=model_path)


def main(argv: list[str]) -> None:
    """`MODEL RUN_PY [arguments of run.py]`."""
    if len(argv) < 2:
        raise SystemExit("give the model and the path of VLMEvalKit's run.py, then its arguments.")
    register(argv[0])
    sys.argv = argv[1:]
    runpy.run_path(argv[1], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
