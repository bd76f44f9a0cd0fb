"""One real dataset, described: where it lies, which columns hold pictures, and how a row becomes a conversation.

A source is a small YAML file (see `recipes/sources/` and `docs/data.md`). Everything that can be wrong in such a file is
found here, when it is read, and not in the middle of a training run.
"""

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from .transforms import TRANSFORMS

BUILDERS = ("parquet", "json", "csv", "imagefolder", "arrow")
ROLES = ("system", "user", "assistant")
CONDITIONS = ("equals", "not_equals", "one_of", "at_least", "at_most", "longest")
CONVERSATION_KEYS = {"column": "conversations", "role": "from", "text": "value", "user": "human", "assistant": "gpt"}

_ENVIRONMENT = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")
_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")


@dataclass(frozen=True)
class Placeholder:
    """`{column|transform|transform}` of a template; `column` may walk into structs with dots."""

    column: str
    transforms: tuple[str, ...] = ()


@dataclass
class SourceConfig:
    """How one dataset becomes rows of pictures and chat messages.

    Exactly one of `messages`, `conversations` and `messages_column` says where the text comes from. With `chosen` and `rejected`
    a row becomes a preference pair: the messages, which then end with the user, are the prompt of both answers.

    Args:
        name: what messages about this source call it, and part of every random draw.
        path: Hub id, one of `BUILDERS`, or a local folder (written by `save_to_disk`, or a clone of a Hub dataset).
        config_name: the dataset's own configuration, where it has several.
        data_files: file, pattern, list of them, or {split: files}; for a Hub id relative to that repository.
        data_dir: folder of an image folder, or sub-folder of a Hub dataset.
        split: split to read.
        revision: commit of a Hub dataset; pin it.
        streaming: read while iterating and keep nothing on disk. For loops of your own: the recipes take tables only.
        image: column with the picture, list of such columns, or a column that holds a list of pictures; None for text only.
        image_dir: folder to which paths in the image columns are relative; default is the folder of the data file.
        image_optional: rows without a picture are text-only rows instead of bad rows.
        messages: list of {role: template}; "{column|transform}" is filled in, "{{" writes a brace, "<image>" in a user
            turn marks where a picture goes.
        conversations: column of LLaVA-style turns, or a mapping with the keys of `CONVERSATION_KEYS`. The column may also hold
            one text, in which `user` and `assistant` (and `system`) are the marks before each turn, such as "[|Human|]".
        messages_column: column that is already a list of {"role", "content"}.
        chosen: template of the answer that is preferred; makes the source one of preference pairs.
        rejected: template of the answer that is not.
        json_columns: columns that hold JSON as text; "{column.key}" reaches into them.
        prompts: wordings of which one, by (seed, row), stands for "{prompt}".
        where: conditions that a row must meet: {not_null: column} or {column: name, equals: value} (`CONDITIONS`); `longest` is
            the most characters of a text, or items of a list.
        on_bad_row: "raise", or "skip", which counts and reports.
        check_pictures: "header" reads every picture's header while loading, "full" decodes each one, "off" trusts them.
        limit: read at most this many rows, after `where` and the shuffle.
        shuffle_seed: shuffle before `limit`; None keeps the order.
        weight: share of this source in `load_sources`.
        license: licence of the data, for people.
        attribution: credit line, for people.

    Raises:
        ValueError: a value is missing, contradictory or of the wrong kind.
    """

    name: str
    path: str
    config_name: str | None = None
    data_files: str | list[str] | dict[str, Any] | None = None
    data_dir: str | None = None
    split: str = "train"
    revision: str | None = None
    streaming: bool = False
    image: str | list[str] | None = "image"
    image_dir: str | None = None
    image_optional: bool = False
    messages: list[dict[str, str]] | None = None
    conversations: str | dict[str, str] | None = None
    messages_column: str | None = None
    chosen: str | None = None
    rejected: str | None = None
    json_columns: list[str] = field(default_factory=list)
    prompts: list[str] | None = None
    where: list[dict[str, Any]] = field(default_factory=list)
    on_bad_row: str = "raise"
    check_pictures: str = "header"
    limit: int | None = None
    shuffle_seed: int | None = None
    weight: float | None = None
    license: str | None = None
    attribution: str | None = None

    def __post_init__(self):
        if not isinstance(self.name, str) or not self.name.strip():
            raise ValueError("a source needs a `name` (text): it is what messages call the source.")
        self._check_choices()
        self._check_numbers()
        given = [key for key in ("messages", "conversations", "messages_column") if getattr(self, key)]
        if len(given) != 1:
            raise self._error(
                f"gives {' and '.join(given) if given else 'none'} of `messages`, `conversations` and `messages_column`: "
                "give exactly one, it says where the text comes from."
            )
        if isinstance(self.where, Mapping):
            self.where = [dict(self.where)]
        if not isinstance(self.where, list):
            raise self._error(f"has where: {self.where!r}; expected a list of conditions.")
        for condition in self.where:
            self._check_condition(condition)
        if self.conversations:
            self.conversations = self._complete_conversations()
        self._check_pair()
        if self.messages:
            self._check_messages()
        if self.prompts is not None and not self._uses_prompt():
            raise self._error("gives `prompts`, but no user turn of `messages` holds {prompt}: write it there.")

    @property
    def is_preference(self) -> bool:
        """Whether rows become preference pairs."""
        return self.chosen is not None

    @property
    def image_columns(self) -> list[str]:
        """Columns that hold pictures, in order."""
        return [] if self.image is None else [self.image] if isinstance(self.image, str) else list(self.image)

    def columns(self) -> list[str]:
        """Top-level columns that this source reads, each once, as far as the file alone can tell."""
        names = self.image_columns + [c.get("not_null") or c["column"] for c in self.where] + self.json_columns
        for template in (self.chosen, self.rejected):
            names += [p.column for p in parse_template(template or "") if isinstance(p, Placeholder)]
        if self.messages:
            for turn in self.messages:
                ((_, template),) = turn.items()
                names += [p.column for p in parse_template(template) if isinstance(p, Placeholder)]
            if self.prompts is not None:
                names = [name for name in names if name != "prompt"]
        names += [self.messages_column] if self.messages_column else []
        names += [self.conversations["column"]] if self.conversations else []
        return list(dict.fromkeys(names))

    def _error(self, sentence: str) -> ValueError:
        return ValueError(f"source {self.name!r} {sentence}")

    def _check_choices(self) -> None:
        for key, choices in {"on_bad_row": ("raise", "skip"), "check_pictures": ("off", "header", "full")}.items():
            value = getattr(self, key)
            if value is False and "off" in choices:  # YAML reads a bare `off` as false
                setattr(self, key, "off")
            elif value not in choices:
                raise self._error(f"has {key}: {value!r}; expected one of {', '.join(choices)}.")
        for key in ("streaming", "image_optional"):
            if not isinstance(getattr(self, key), bool):
                raise self._error(f"has {key}: {getattr(self, key)!r}; expected true or false.")
        if not isinstance(self.path, str) or not self.path:
            raise self._error(f"needs a `path`: a Hub id, a folder, or one of {', '.join(BUILDERS)}.")
        if self.path in BUILDERS and not (self.data_files or self.data_dir):
            raise self._error(f"has path: {self.path}; say which files with `data_files` or `data_dir`.")

    def _check_numbers(self) -> None:
        for key, kind, least in (("limit", int, 1), ("shuffle_seed", int, 0), ("weight", int | float, 1e-9)):
            value = getattr(self, key)
            if value is not None and (isinstance(value, bool) or not isinstance(value, kind) or value < least):
                raise self._error(f"has {key}: {value!r}; expected a number of at least {least}.")

    def _check_condition(self, condition: Any) -> None:
        shape = f"{{not_null: column}} or {{column: name, {'|'.join(CONDITIONS)}: value}}"
        if not isinstance(condition, Mapping):
            raise self._error(f"has the condition {condition!r} in `where`; expected {shape}.")
        _check_keys(condition, ("not_null", "column", *CONDITIONS), f"source {self.name!r}, `where`")
        tests = [key for key in CONDITIONS if key in condition]
        complete = len(tests) == 1 and "column" in condition and "not_null" not in condition
        if not complete and list(condition) != ["not_null"]:
            raise self._error(f"has the condition {dict(condition)} in `where`; expected {shape}.")
        if "one_of" in condition and not isinstance(condition["one_of"], list):
            raise self._error(f"has one_of: {condition['one_of']!r} in `where`; expected a list.")

    def _complete_conversations(self) -> dict[str, str]:
        given = {"column": self.conversations} if isinstance(self.conversations, str) else self.conversations
        if not isinstance(given, Mapping):
            raise self._error(f"has conversations: {given!r}; expected a column name or a mapping.")
        _check_keys(given, (*CONVERSATION_KEYS, "system"), f"source {self.name!r}, `conversations`")
        return {**CONVERSATION_KEYS, "system": "system", **given}

    def _check_pair(self) -> None:
        if isinstance(self.json_columns, str):
            self.json_columns = [self.json_columns]
        if (self.chosen is None) != (self.rejected is None):
            raise self._error("gives one of `chosen` and `rejected`: give both, or neither.")
        for key in ("chosen", "rejected") if self.is_preference else ():
            value = getattr(self, key)
            if not isinstance(value, str):
                raise self._error(f'has {key}: {value!r}; expected text such as "{{{key}}}" (in quotes).')
            try:
                parse_template(value)
            except ValueError as error:
                raise self._error(f"has `{key}` that cannot be read: {error}") from error
        if self.is_preference and self.chosen == self.rejected:
            raise self._error(f"has the same template {self.chosen!r} as `chosen` and `rejected`: name two columns.")

    def _check_messages(self) -> None:
        if not isinstance(self.messages, list):
            raise self._error("has `messages` that are no list; write `- user: ...` and `- assistant: ...` under it.")
        roles = []
        for turn in self.messages:
            if not isinstance(turn, Mapping) or len(turn) != 1:
                raise self._error(
                    f'has the turn {turn!r}; expected one role and its text, such as `- user: "{{question}}"`.'
                )
            ((role, template),) = turn.items()
            _check_keys(turn, ROLES, f"source {self.name!r}, `messages`")
            if not isinstance(template, str):
                raise self._error(
                    f"has {role}: {template!r}; expected text (put it in quotes: braces begin a mapping in YAML)."
                )
            try:
                parse_template(template)
            except ValueError as error:
                raise self._error(f"has a {role} turn that cannot be read: {error}") from error
            roles.append(role)
        if self.is_preference and roles[-1] != "user":
            raise self._error(
                f"has the turns {roles} and `chosen`; expected a user turn last, which both answers follow."
            )
        if "user" not in roles or ("assistant" not in roles and not self.is_preference):
            raise self._error(f"has the turns {roles}; expected at least one user and one assistant turn.")
        if "system" in roles[1:]:
            raise self._error("has a system turn that is not the first turn: move it to the top.")

    def _uses_prompt(self) -> bool:
        if not isinstance(self.prompts, list) or not self.prompts or not all(isinstance(p, str) for p in self.prompts):
            raise self._error(f"has prompts: {self.prompts!r}; expected a list of texts.")
        turns = [template for turn in self.messages or [] for role, template in turn.items() if role == "user"]
        return any(p == Placeholder("prompt") for template in turns for p in parse_template(template))


def read_source_config(path: str | os.PathLike) -> SourceConfig:
    """Read one source from a YAML file.

    Args:
        path: the file; relative paths inside it start at its folder, `${NAME:-default}` reads the environment.

    Returns:
        The checked `SourceConfig`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not YAML, an unknown key, or a value that cannot be.
    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(
            f"there is no source file {str(path)!r}: give the path of a YAML file such as recipes/sources/*.yaml."
        )
    try:
        mapping = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{file.name} is not valid YAML ({' '.join(str(error).split())}).") from error
    return parse_source_config(mapping, file.resolve().parent, file.name)


def parse_source_config(mapping: Any, folder: str | os.PathLike = ".", where: str = "the source") -> SourceConfig:
    """Build a source from a mapping with strict keys.

    Args:
        mapping: the content of a source file.
        folder: what relative paths start from.
        where: what error sentences call the mapping.

    Returns:
        The checked `SourceConfig`, with local paths made absolute.

    Raises:
        ValueError: an unknown or missing key, or a value that cannot be.
    """
    if not isinstance(mapping, Mapping):
        raise ValueError(
            f"{where} holds {type(mapping).__name__}; expected `key: value` lines such as `name:` and `path:`."
        )
    _check_keys(mapping, [f.name for f in fields(SourceConfig)], where)
    missing = [key for key in ("name", "path") if mapping.get(key) is None]
    if missing:
        raise ValueError(f"{where} lacks {' and '.join(missing)}: add it.")
    # an empty value is the default, except for `image:`, where it says that there are no pictures
    config = SourceConfig(**{key: value for key, value in mapping.items() if value is not None or key == "image"})
    folder = Path(folder)
    config.path = _local_folder(expand_environment(config.path), folder)
    local = config.path in BUILDERS
    if config.data_files is not None:
        config.data_files = _map_texts(config.data_files, lambda text: _resolve(text, folder, local))
    if config.data_dir is not None:
        config.data_dir = _resolve(config.data_dir, folder, local)
    if config.image_dir is not None:
        config.image_dir = _resolve(config.image_dir, folder, True)
    return config


def expand_environment(text: str) -> str:
    """Replace `${NAME}` and `${NAME:-default}` by environment variables.

    Args:
        text: any text.

    Returns:
        The text with every variable filled in.

    Raises:
        ValueError: a variable without a default is not set.
    """

    def fill(match: re.Match) -> str:
        name, default = match.groups()
        value = os.environ.get(name) or default
        if value is None:
            raise ValueError(f"{text!r} needs the environment variable {name}: set it, or write ${{{name}:-default}}.")
        return value

    return _ENVIRONMENT.sub(fill, text)


def parse_template(template: str) -> list[str | Placeholder]:
    """Split a template into literal text and placeholders.

    Args:
        template: text with `{column}`, `{column|transform}`, `{{` and `}}`.

    Returns:
        The pieces in order.

    Raises:
        ValueError: a brace that is not closed, an empty placeholder, or an unknown transform.
    """
    pieces: list[str | Placeholder] = []
    for match in _PIECE.finditer(template):
        text, inner = match.group(0), match.group(1)
        if text in ("{", "}"):
            raise ValueError(f"{template!r} holds a single {text!r}; write {text * 2!r} for the character itself.")
        if inner is None:
            pieces.append({"{{": "{", "}}": "}"}.get(text, text))
            continue
        column, *names = (part.strip() for part in inner.split("|"))
        if not column:
            raise ValueError(f"{template!r} holds a placeholder without a column: write {{column}}.")
        for name in names:
            if name not in TRANSFORMS:
                raise ValueError(f"{template!r} uses the unknown transform {name!r}{nearest(name, TRANSFORMS)}")
        pieces.append(Placeholder(column, tuple(names)))
    return pieces


def _check_keys(mapping: Mapping, valid: Iterable[str], where: str) -> None:
    valid = list(valid)
    for key in mapping:
        if key not in valid:
            raise ValueError(f"{where} has the unknown key {key!r}{nearest(str(key), valid)}")


def nearest(word: str, valid: Iterable[str]) -> str:
    """The end of a sentence about an unknown word: the closest valid one, if any is close."""
    valid = list(valid)
    close = difflib.get_close_matches(word, valid, n=1, cutoff=0.5)
    return f"{f'; did you mean {close[0]!r}?' if close else '.'} Valid: {', '.join(valid)}."


def _map_texts(value: Any, change) -> Any:
    if isinstance(value, Mapping):
        return {key: _map_texts(item, change) for key, item in value.items()}
    return [_map_texts(item, change) for item in value] if isinstance(value, list) else change(str(value))


def _resolve(text: str, folder: Path, local: bool) -> str:
    text = expand_environment(text)
    return text if not local or "://" in text else os.path.normpath(folder / Path(text).expanduser())


def _local_folder(path: str, folder: Path) -> str:
    """Absolute path if `path` is a folder on this machine; a builder's name or Hub id as it is."""
    if path in BUILDERS:
        return path
    candidate = Path(os.path.normpath(folder / Path(path).expanduser()))
    if candidate.is_dir():
        return str(candidate)
    if path.startswith((".", "~", os.sep)) or not _HUB_ID.fullmatch(path):
        raise ValueError(
            f"path {path!r} is no folder here ({candidate}) and no Hub id: correct it, or use one of {', '.join(BUILDERS)} "
            "with `data_files`."
        )
    return path
