"""Stage 2: multi-task training of a merged model, a vision vocabulary beside a general tower (Vary-toy, section 3.3).

`recipes/pretrain.py` calls `main`. It is the SFT stage on a mixture; what it adds is the check that the recipe is one.
"""

from . import sft
from .arguments import DataArguments, ModelArguments, StageArguments, parse
from .processes import parting_together


@parting_together
def main(argv: list[str] | None = None) -> dict:
    """Parses the arguments and runs the stage; returns the summary that is also written to `training.json`."""
    return run(*parse((ModelArguments, DataArguments, StageArguments), argv))


def run(model_arguments: ModelArguments, data_arguments: DataArguments, arguments: StageArguments) -> dict:
    """Trains as the three groups of arguments say; see `main`.

    Raises:
        ValueError: if the recipe's mixture is no list of entries, and as `sft.run`.
    """
    if not isinstance(data_arguments.mixture, list):
        raise ValueError(
            "multi-task pretraining needs a mixture, a list of entries with a name, a weight and a kind of rows; see recipes/"
            "vary-nano/2_pretrain.yaml."
        )
    return sft.run(model_arguments, data_arguments, arguments)


__all__ = ["main", "run"]
