"""Whether a name that a user gave for a model is a folder or a repository of the Hub, found out before anything is loaded.

transformers asks the Hub again and again, for most of a minute, and then speaks of the network alone, where as a rule a
folder's name was misspelt.
"""

from pathlib import Path

from huggingface_hub import HfApi, constants, try_to_load_from_cache
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, RepositoryNotFoundError
from huggingface_hub.utils import validate_repo_id

_SECONDS = 10


def check_source(what: str, name: str) -> None:
    """Raises ValueError unless a name is a folder, or a model repository that is in the cache or on the Hub.

    Args:
        what (`str`): how the user gave the name, e.g. `vision_tower` or `--model`.
        name (`str`): the name.
    """
    name = str(name)
    if Path(name).is_dir():
        return
    given = f"{what} {name}" if what.startswith("--") else f"{what}={name}"
    if Path(name).exists():
        raise ValueError(f"{given} is a file, but a folder is needed; give the folder that the file lies in.")
    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise ValueError(f"{given} is no such folder; give the folder that a finished stage wrote.") from error
    if any(isinstance(try_to_load_from_cache(name, file), str) for file in ("config.json", "tokenizer.json")):
        return
    cure = "check the spelling, or give the folder that a finished stage wrote"
    if constants.HF_HUB_OFFLINE:
        raise ValueError(
            f"{given} is no such folder, and no repository of the Hub that is in the local cache (HF_HUB_OFFLINE is set, so "
            f"the Hub is not asked); {cure}."
        )
    try:
        HfApi().model_info(name, timeout=_SECONDS)
    except RepositoryNotFoundError as error:
        raise ValueError(f"{given} is no such folder, and the Hub has no model of that name; {cure}.") from error
    except HfHubHTTPError:
        return  # the Hub answered something else: let transformers say what is the matter
    except Exception as error:  # the HTTP library, and so its errors, differ between versions of huggingface_hub
        raise ValueError(
            f"{given} is no such folder, and if it is a repository of the Hub, the Hub cannot be reached ({error}); {cure}, "
            "or connect to the network."
        ) from error


__all__ = ["check_source"]
