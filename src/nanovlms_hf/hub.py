"""Pushing folders to the Hub: one commit or none, and one sentence where something is wrong.

`push` looks at a folder before it asks the Hub for anything: what kind of folder it is, whether it is whole, and what of it
should travel (never optimizer states, never a pickle). Everything then goes up in a single commit, so that a repository
never holds half of a push; files that arrived before a connection broke are not sent again.
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from huggingface_hub import CommitInfo, CommitOperationAdd, HfApi, get_token, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, RepositoryNotFoundError
from huggingface_hub.utils import validate_repo_id

from .folders import read_folder
from .remote_code import check_code

ATTEMPTS = 4
_TRANSIENT = (408, 429, 500, 502, 503, 504)


@dataclass
class Pushed:
    """What a push did.

    Attributes:
        repo_id (`str`): the repository, with its owner.
        repo_type (`str`): `model` or `dataset`.
        commit (`str`): id of the commit that holds the push; pass it as `revision` to load exactly this.
        url (`str`): the commit's page.
        files (`list[str]`): what the repository got.
        left_out (`list[str]`): what stayed at home, with a slash after folders.
    """

    repo_id: str
    repo_type: str
    commit: str
    url: str
    files: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def push(
    folder: str | Path,
    repo_id: str,
    *,
    private: bool | None = None,
    revision: str | None = None,
    message: str | None = None,
    token: str | None = None,
) -> Pushed:
    """Pushes a model, vision tower, adapter or saved dataset to the Hub.

    Args:
        folder (`str` or `Path`): what `save_pretrained`, `save_to_disk` or a finished stage wrote.
        repo_id (`str`): `owner/name`, or `name` in the token's own namespace; made where it does not exist.
        private (`bool`, *optional*): whether a new repository is private; the account's default when not given.
        revision (`str`, *optional*): branch to push to; made from `main` where it does not exist. `main` when not given.
        message (`str`, *optional*): title of the commit.
        token (`str`, *optional*): token with write access; the one of `hf auth login` or `HF_TOKEN` when not given.

    Returns:
        `Pushed`: repository, commit and files.

    Raises:
        ValueError: in one sentence, if the folder or the name cannot be pushed, or the Hub refuses or breaks off; then the
            repository is as it was before.
    """
    check_repo_id(repo_id)
    content = read_folder(folder)
    token = token or get_token()
    if token is None:
        raise ValueError(
            f"{repo_id} cannot be pushed to without a token; run `hf auth login`, or set HF_TOKEN to a token with write access "
            "(https://huggingface.co/settings/tokens)."
        )
    api = HfApi(token=token)
    with hub_sentences(repo_id, token):
        repo_id = api.create_repo(repo_id, repo_type=content.repo_type, private=private, exist_ok=True).repo_id
        if revision is not None and revision != "main":
            api.create_branch(repo_id, repo_type=content.repo_type, branch=revision, exist_ok=True)
        if content.push is not None:
            info = content.push(repo_id, private, revision, message, token)
        else:
            message = message or f"Upload {content.kind}"
            info = commit_files(
                api, repo_id, content.files, repo_type=content.repo_type, revision=revision, message=message
            )
    return Pushed(repo_id, content.repo_type, info.oid, str(info.commit_url), sorted(content.files), content.left_out)


def verify(source: str | Path, revision: str | None = None) -> list[str]:
    """Compares the code of a repository or folder with this package's, without running any of it.

    Args:
        source (`str` or `Path`): folder, or `owner/name` on the Hub.
        revision (`str`, *optional*): branch, tag or commit.

    Returns:
        `list[str]`: one line a file.

    Raises:
        ValueError: if a file differs, there is none, or the repository cannot be read.
    """
    folder = Path(source)
    if not folder.is_dir():
        check_repo_id(str(source))
        with hub_sentences(str(source), get_token()):
            folder = Path(snapshot_download(str(source), revision=revision, allow_patterns="*_nanovlms.py"))
    present = sorted(path.name for path in folder.glob("*_nanovlms.py"))
    if not present:
        raise ValueError(
            f"{source} carries no code of this family (*_nanovlms.py), so it runs only where nanovlms_hf is."
        )
    check_code(folder, str(source))
    return [f"{name}: as in this version of nanovlms_hf" for name in present]


def commit_files(
    api: HfApi,
    repo_id: str,
    files: dict[str, str | bytes],
    *,
    repo_type: str = "model",
    revision: str | None = None,
    message: str = "Upload",
) -> CommitInfo:
    """One commit of all files, asked for again while the Hub is only overloaded.

    A commit whose answer was lost is not made twice: the client leaves out files that the repository already holds.

    Args:
        api (`HfApi`): client with the token.
        repo_id (`str`): an existing repository.
        files (`dict[str, str | bytes]`): name in the repository -> path or content.
        repo_type, revision, message: as in `HfApi.create_commit`.
    """
    for attempt in range(1, ATTEMPTS + 1):
        operations = [CommitOperationAdd(name, source) for name, source in sorted(files.items())]
        try:
            return api.create_commit(
                repo_id, operations, commit_message=message, repo_type=repo_type, revision=revision
            )
        except Exception as error:  # the HTTP library, and so its errors, differ between versions of huggingface_hub
            wait = _seconds_to_wait(error, attempt)
            if wait is None or attempt == ATTEMPTS:
                raise
            time.sleep(wait)
    raise AssertionError("the last attempt returns or raises")


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _status(error: BaseException) -> int | None:
    for cause in _causes(error):
        if isinstance(cause, HfHubHTTPError) and cause.response is not None:
            return cause.response.status_code
    return None


def _broke_off(error: BaseException) -> bool:
    """Whether a request failed below HTTP: no connection, or one that ended early."""
    return any(
        type(cause).__module__.split(".")[0] in ("httpx", "httpx2", "httpcore") for cause in _causes(error)
    ) or any(isinstance(cause, ConnectionError) for cause in _causes(error))


def _lacks_xet(error: BaseException) -> bool:
    """Whether the client, which has hf_xet installed, asked a Hub for Xet storage that has none."""
    return any("xet-write-token" in f"{cause}" and "404" in f"{cause}" for cause in _causes(error))


def _seconds_to_wait(error: BaseException, attempt: int) -> float | None:
    """How long to wait before the same commit is asked for again; None where that would be no use."""
    status = _status(error)
    if _lacks_xet(error):
        return None
    if status is None:
        return 2.0**attempt if _broke_off(error) else None
    if status not in _TRANSIENT:
        return None
    for cause in _causes(error):
        after = getattr(getattr(cause, "response", None), "headers", {}).get("Retry-After", "")
        if str(after).isdigit():
            return min(float(after), 300.0)
    return 2.0**attempt


def check_repo_id(repo_id: str) -> None:
    """Raises ValueError for what cannot be the name of a repository."""
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise ValueError(
            f"{repo_id!r} is no name of a repository; give `owner/name` or `name`, of letters, digits, '-', '_' and '.', at most 96 "
            "characters."
        ) from error


@contextmanager
def hub_sentences(repo_id: str, token: str | None = None):
    """Turns what the Hub or the connection says into one ValueError sentence that never holds the token.

    Args:
        repo_id (`str`): the repository, for the sentence.
        token (`str`, *optional*): the token, which is blotted out wherever an answer repeats it.
    """
    try:
        yield
    except Exception as error:
        sentence = _sentence(error, repo_id)
        if sentence is None:
            raise
        if token:
            sentence = sentence.replace(token, "hf_***")
        raise ValueError(re.sub(r"hf_\w{8,}", "hf_***", sentence)) from None  # a chained traceback would repeat it


def _said(error: BaseException) -> str:
    """The last words of the innermost cause, on one line."""
    inner = list(_causes(error))[-1]
    for cause in _causes(error):
        if isinstance(cause, HfHubHTTPError):
            inner = cause
            break
    message = getattr(inner, "server_message", None) or str(inner)
    return " ".join(message.split())[:300]


_AGAIN = "nothing was committed; push again: files that have already arrived are not sent twice"


def _sentence(error: BaseException, repo_id: str) -> str | None:
    status, said = _status(error), _said(error)
    told: dict[int, Callable[[], str]] = {
        401: lambda: (
            f"the Hub does not take the token that was given for {repo_id} ({said}); run `hf auth login` again, or set HF_TOKEN to "
            "a valid token with write access."
        ),
        403: lambda: (
            f"the token may not write to {repo_id} ({said}); use a token with write access to that namespace, or push to a name of "
            "your own."
        ),
        404: lambda: (
            f"the Hub has no {repo_id}, or not this revision of it ({said}); check the name and the revision."
        ),
        409: lambda: f"{repo_id} could not be changed, because something else changes it ({said}); {_AGAIN}.",
        412: lambda: f"{repo_id} could not be changed, because something else changed it ({said}); {_AGAIN}.",
        413: lambda: (
            f"a file is larger than the Hub takes for {repo_id} ({said}); save with a smaller max_shard_size."
        ),
        429: lambda: f"the Hub asks to slow down, again and again ({said}); {_AGAIN}, in some minutes.",
    }
    if _lacks_xet(error):
        return (
            f"this Hub has no Xet storage, through which {repo_id} was to be sent; set HF_HUB_DISABLE_XET=1 before Python starts, and "
            "push again: nothing was committed."
        )
    if "exceeds" in said or "too large" in said.lower():
        return told[413]()
    if isinstance(error, RepositoryNotFoundError):
        return told[404]() if status == 404 else told[401]()
    if status in told:
        return told[status]()
    if status is not None and status >= 500:
        return f"the Hub failed while {repo_id} was pushed, again and again ({status}: {said}); {_AGAIN}."
    if status is not None:
        return f"the Hub refused the push to {repo_id} ({status}: {said})."
    if _broke_off(error):
        return f"the connection broke off while {repo_id} was pushed ({said}); {_AGAIN}."
    return None


__all__ = ["Pushed", "check_repo_id", "commit_files", "hub_sentences", "push", "verify"]
