"""From what a recipe says of its rewards to functions that TRL calls, each watched: a wrong value stops the run in one sentence.

    rewards: {facts: 1.0, format: 0.2, "my_module:my_reward": 0.5}

A name of `rewards.REWARDS` is a reward of this package, `module:function` or `path.py:function` one of yours. Before a run has
written anything, `try_rewards` asks all of them about a few rows with given texts.
"""

import asyncio
import importlib
import importlib.util
import inspect
import math
from collections.abc import Callable, Sequence
from pathlib import Path

from transformers import TrainerState

from .arguments import as_mapping
from .rewards import REWARDS, Completion, text_of

_SHOWN = 80  # characters of a completion in an error


class CheckedReward:
    """A reward that raises one clear sentence where the function in it raises or gives what is no reward.

    Args:
        function (`Callable`): a reward in TRL's signature, which may be asynchronous.
        name (`str`): its name in the recipe, and in the logs (`rewards/NAME/mean`).
    """

    def __init__(self, function: Callable, name: str):
        self.function, self.name = function, name
        self.__name__ = _log_name(name)

    def __call__(self, prompts: Sequence, completions: Sequence[Completion], **columns) -> list[float | None]:
        """The rewards of completions, as finite numbers or None.

        Raises:
            ValueError: if the function raises, gives another number of values than there are completions, or a value that is
                neither a finite number nor None; names the reward, the row and the value.
        """
        try:
            values = self._call(prompts, completions, columns)
        except Exception as error:
            raise ValueError(self._raised(error, prompts, completions, columns)) from error
        try:
            values = list(values)
        except TypeError:
            raise ValueError(
                f"the reward {self.name!r} returned {_shown(values)} for {len(completions)} completions; return a list with one "
                "number (or None) a completion."
            ) from None
        if len(values) != len(completions):
            raise ValueError(
                f"the reward {self.name!r} returned {len(values)} values for {len(completions)} completions; return exactly one "
                "number (or None) a completion, in their order."
            )
        return [self._checked(value, row, completions[row]) for row, value in enumerate(values)]

    def _call(self, prompts, completions, columns):
        result = self.function(prompts=prompts, completions=completions, **columns)
        return asyncio.run(result) if inspect.iscoroutine(result) else result

    def _checked(self, value, row: int, completion: Completion) -> float | None:
        if value is None:
            return None
        try:
            number = math.nan if isinstance(value, str) else float(value)
        except (TypeError, ValueError, RuntimeError):  # RuntimeError: a tensor of several numbers
            number = math.nan
        if not math.isfinite(number):
            raise ValueError(
                f"the reward {self.name!r} returned {_shown(value)} for row {row} (completion {_shown(text_of(completion))}); "
                "return a finite number, or None where the reward does not apply."
            )
        return number

    def _raised(self, error: Exception, prompts, completions, columns) -> str:
        """The sentence for a function that raised, with the first row that makes it raise alone."""
        row = self._failing_row(prompts, completions, columns)
        where = f"a batch of {len(completions)} rows"
        if row is not None:
            where = f"row {row} (completion {_shown(text_of(completions[row]))})"
        said = " ".join(str(error).split())
        mend = "mend the function, or return None for rows that it cannot judge"
        if isinstance(error, TypeError) and "argument" in said:
            mend = f"let it take (prompts, completions, **columns); the columns are {', '.join(sorted(columns))}"
        return f"the reward {self.name!r} raised {type(error).__name__}: {said} on {where}; {mend}."

    def _failing_row(self, prompts, completions, columns) -> int | None:
        size = len(completions)
        for row in range(size):
            one = {
                key: value[row : row + 1] if isinstance(value, list) and len(value) == size else value
                for key, value in columns.items()
            }
            try:
                self._call(prompts[row : row + 1], completions[row : row + 1], one)
            except Exception:
                return row
        return None


def _log_name(name: str) -> str:
    """The name in the logs: that of a function, without its module or file, which may hold slashes."""
    return name.rpartition(":")[2]


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def reward_weights(rewards: dict | list | str | None) -> dict[str, float]:
    """What a recipe says of its rewards as name -> weight.

    Args:
        rewards (`dict`, `list` or `str`): name -> weight; or names, of weight 1; or one name; from a flag also as JSON.

    Raises:
        ValueError: if no reward is named, or a weight is no finite number.
    """
    if isinstance(rewards, str) and not rewards.lstrip().startswith("{"):
        rewards = [rewards]
    if isinstance(rewards, list):
        rewards = dict.fromkeys(rewards, 1.0)
    rewards = as_mapping("rewards", rewards)
    if not rewards:
        raise ValueError(
            f"the recipe names no reward; write rewards: {{NAME: WEIGHT}} with names of {', '.join(REWARDS)}, or your own as "
            "my_module:my_function or path.py:my_function."
        )
    for name, weight in rewards.items():
        number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not number or not math.isfinite(weight):
            raise ValueError(
                f"rewards gives {name!r} the weight {weight!r}; give each reward a finite number, such as 1.0."
            )
    if not any(rewards.values()):
        raise ValueError(f"rewards={rewards} gives every reward the weight 0; give at least one another weight.")
    return {str(name): float(weight) for name, weight in rewards.items()}


def load_rewards(weights: dict[str, float]) -> list[CheckedReward]:
    """The functions that the names of `reward_weights` mean, in their order.

    Raises:
        ValueError: if a name is unknown, a module or file cannot be imported, or holds no such function; or if two names
            would be one name in the logs.
    """
    loaded = [CheckedReward(_function(name), name) for name in weights]
    names = [reward.__name__ for reward in loaded]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(
            f"rewards names {twice[0]!r} more than once, in {', '.join(map(repr, weights))}; give each function a name of its "
            "own, as the logs are by name."
        )
    return loaded


def _function(name: str) -> Callable:
    place, colon, attribute = name.rpartition(":")
    if not colon:
        if name not in REWARDS:
            raise ValueError(
                f"the reward {name!r} is unknown; choose from {', '.join(REWARDS)}, or name your own as my_module:my_function or "
                "path.py:my_function."
            )
        return REWARDS[name]
    module = _module(name, place)
    function = getattr(module, attribute, None)
    if not callable(function):
        what = "holds no such name" if function is None else f"holds a {type(function).__name__} of that name"
        raise ValueError(f"the reward {name!r} cannot be used: {place} {what}; name a function that stands in it.")
    return function


def _module(name: str, place: str):
    """Imports a module by its name or from its file."""
    is_file = place.endswith(".py")
    if is_file and not Path(place).is_file():
        raise ValueError(
            f"the reward {name!r} cannot be loaded: there is no file {place} below the working directory; give its path."
        )
    try:
        if not is_file:
            return importlib.import_module(place)
        spec = importlib.util.spec_from_file_location(Path(place).stem, place)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    except Exception as error:
        said = " ".join(str(error).split())
        raise ValueError(
            f"the reward {name!r} cannot be loaded: importing {place} raised {type(error).__name__}: {said}; mend that, or put "
            "its folder on PYTHONPATH."
        ) from error


def try_rewards(rewards: Sequence[CheckedReward], rows: Sequence[dict]) -> list[dict[str, float | None]]:
    """Asks every reward about rows, each with its right answer, with nothing said, and with words that mean nothing.

    Args:
        rewards (`Sequence[CheckedReward]`): the rewards of a run.
        rows (`Sequence[dict]`): rows as the training gives them; `prompt_tasks.prompt_row` tells their columns.

    Returns:
        `list[dict]`: for each row, name -> reward of its right answer.

    Raises:
        ValueError: as `CheckedReward`, and if none of the rewards has anything to say of a row.
    """
    texts = [text for row in rows for text in (row["reference"], "", "zxqv <think> [1, 2 ...")]
    repeated = [row for row in rows for _ in range(3)]
    names = [name for name in rows[0] if name != "prompt"]
    columns = {name: [row[name] for row in repeated] for name in names}
    # What TRL gives beside the columns: the ids, where the training is, and two ways to log.
    columns["completion_ids"] = [[0] for _ in texts]
    extra = {"trainer_state": TrainerState(), "log_extra": _log_nothing, "log_metric": _log_nothing}
    prompts = [row["prompt"] for row in repeated]
    completions = [[{"role": "assistant", "content": text}] for text in texts]
    scored = {reward.name: reward(prompts, completions, **columns, **extra) for reward in rewards}
    for place, row in enumerate(rows):
        if all(values[3 * place] is None for values in scored.values()):
            raise ValueError(
                f"none of the rewards {', '.join(scored)} applies to row {place}, whose task is {row['task']!r}: all of them "
                "returned None; add a reward for that task, or leave the task out."
            )
    return [{name: values[3 * place] for name, values in scored.items()} for place in range(len(rows))]


def _log_nothing(*_) -> None:
    """Stands in for TRL's logging while rewards are tried."""


__all__ = ["CheckedReward", "load_rewards", "reward_weights", "try_rewards"]
