"""From one row of any dataset to pictures and a conversation.

A conversation has one form everywhere in this package, the one that survives Arrow and that TRL reads:

    {"role": "user", "content": [{"type": "image", "text": None}, {"type": "text", "text": "What is it?"}]}

Arrow gives every block of a column the same keys, so a picture's block carries an empty `text`. It must not carry an empty
`image`: TRL fills the picture into exactly those blocks that have no `image` key at all (`prepare_multimodal_messages`).
"""

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datasets import ClassLabel, Features, Image, LargeList, List, Value

from .pictures import PictureError, encode_png, open_picture, read_header
from .source_config import Placeholder, SourceConfig, parse_template
from .transforms import TRANSFORMS, RowContext

MARKER = "<image>"

MESSAGES_FEATURE = List(
    {"role": Value("string"), "content": List({"type": Value("string"), "text": Value("string")})},
)
CHAT_FEATURES = Features({"images": List(Image()), "messages": MESSAGES_FEATURE})
PAIR_FEATURES = Features(
    {"images": List(Image()), **dict.fromkeys(("prompt", "chosen", "rejected"), MESSAGES_FEATURE)}
)


class RowError(ValueError):
    """A row that cannot become a conversation; the message names source, row, column, expectation and cure."""


@dataclass
class RowReader:
    """Turns rows of one source into {"images", "messages"}, or into preference pairs: {"images", "prompt", "chosen", "rejected"}.

    Args:
        config: the source.
        seed: decides which wording or caption a row draws, together with the row's number.
        features: the dataset's features, to write class labels by name; None if there are none.
        image_dir: folder of relative picture paths; None if they cannot be relative.
    """

    config: SourceConfig
    seed: int = 0
    features: Any = None
    image_dir: str | None = None
    _templates: list = field(init=False, repr=False, default_factory=list)
    _answers: dict = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self):
        for turn in self.config.messages or []:
            ((role, template),) = turn.items()
            self._templates.append((role, parse_template(template)))
        if self.config.is_preference:
            self._answers = {key: parse_template(getattr(self.config, key)) for key in ("chosen", "rejected")}

    def read(self, row: dict[str, Any], number: int) -> dict[str, list]:
        """Turn one row into pictures and messages.

        Args:
            row: column name -> value, pictures not decoded.
            number: the row's place in the source, before any filter.

        Returns:
            {"images": list of {"bytes", "path"}, "messages": list of {"role", "content": blocks}}; as many image blocks as
            pictures. Of a preference pair the messages are called "prompt", and "chosen" and "rejected" hold one turn each.

        Raises:
            RowError: no picture, an empty value, a text that cannot be built, counts that differ, or a chosen text that is the
                rejected one.
        """
        row = row | {column: self._parsed(row[column], column, number) for column in self.config.json_columns}
        images, measured = self._pictures(row, number)
        texts = {key: name_labels(value, (self.features or {}).get(key)) for key, value in row.items()}

        def measure() -> tuple[int, int]:
            if not images:
                raise ValueError("the row has no picture to measure")
            return measured[0] if measured else read_header(images[0]).size

        context = RowContext(texts, number, f"{self.seed}/{self.config.name}", measure)
        if self.config.messages:
            turns = [(role, self._fill(pieces, context)) for role, pieces in self._templates]
        elif self.config.conversations:
            turns = self._conversation_turns(texts, number)
        else:
            turns = self._chat_turns(texts, number)
        if self.config.is_preference:
            return {"images": images, **self._pair(turns, context, len(images), number)}
        return {"images": images, "messages": self._blocks(turns, len(images), number)}

    def _parsed(self, value: Any, column: str, number: int) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except json.JSONDecodeError as error:
            raise self._error(number, f"expected JSON, found {value[:60]!r} ({error})", column) from error

    def _pair(self, turns: list[tuple[str, Any]], context: RowContext, pictures: int, number: int) -> dict[str, list]:
        answers = {key: self._fill(pieces, context).strip() for key, pieces in self._answers.items()}
        if not turns or turns[-1][0] != "user":
            raise self._error(number, "the prompt does not end with the user, whom both answers follow")
        for key, answer in answers.items():
            if not answer or MARKER in answer:
                raise self._error(number, f"the {key} text is {answer[:60]!r}; expected words, without {MARKER}")
        if answers["chosen"] == answers["rejected"]:
            raise self._error(
                number, f"chosen and rejected are the same text ({answers['chosen'][:60]!r}), so nothing is preferred"
            )
        said = {key: [{"role": "assistant", "content": _split_text(answer)}] for key, answer in answers.items()}
        return {"prompt": self._blocks(turns, pictures, number, answered=True), **said}

    def meets(self, row: dict[str, Any]) -> bool:
        """Tell whether a row meets every condition of the source's `where`.

        Args:
            row: column name -> value.

        Returns:
            True if it does; an empty value meets only `not_equals`.
        """
        return all(self._meets(condition, row) for condition in self.config.where)

    def _meets(self, condition: dict[str, Any], row: dict[str, Any]) -> bool:
        if "not_null" in condition:
            value = _walk(row, condition["not_null"])
            return value is not None and not (isinstance(value, str | list) and len(value) == 0)
        column = condition["column"]
        top = column if column in row else column.split(".")[0]
        value = _walk({**row, top: name_labels(row[top], (self.features or {}).get(top))}, column)
        if "equals" in condition:
            return value == condition["equals"]
        if "not_equals" in condition:
            return value != condition["not_equals"]
        if "one_of" in condition:
            return value in condition["one_of"]
        try:
            if "longest" in condition:
                return value is not None and len(value) <= condition["longest"]
            return value is not None and (
                value >= condition["at_least"] if "at_least" in condition else value <= condition["at_most"]
            )
        except TypeError as error:
            raise ValueError(
                f"source {self.config.name!r}, `where`: column {column!r} holds {value!r}, which cannot be compared with "
                f"{condition}: use numbers with at_least and at_most, texts or lists and a number with longest."
            ) from error

    def _error(self, number: int, sentence: str, column: str | None = None, where: bool = False) -> RowError:
        cure = f" Add `where: [{{not_null: {column}}}]`, or" if where else " Mend the row, or"
        place = f"source {self.config.name!r}, row {number}" + (f", column {column!r}" if column else "")
        return RowError(f"{place}: {sentence}.{cure} set `on_bad_row: skip`.")

    # pictures ---------------------------------------------------------------------------------------------------------

    def _pictures(self, row: dict[str, Any], number: int) -> tuple[list[dict], list[tuple[int, int]]]:
        images, sizes = [], []
        for column in self.config.image_columns:
            value = row[column]
            values = (
                [v for v in value if v is not None] if isinstance(value, list) else [] if value is None else [value]
            )
            if not values and not self.config.image_optional:
                raise self._error(
                    number, "there is no picture; expected one (or set `image_optional: true`)", column, True
                )
            for item in values:
                struct, size = self._picture(item, column, number)
                images.append(struct)
                sizes += [size] if size else []
        return images, sizes

    def _picture(self, value: Any, column: str, number: int) -> tuple[dict, tuple[int, int] | None]:
        struct = self._locate(value, column, number)
        if self.config.check_pictures == "off":
            return struct, None
        try:
            header = read_header(struct, "the picture")
            if header.plain and self.config.check_pictures == "header":
                return struct, header.size
            image = open_picture(struct, "the picture")
        except PictureError as error:
            raise self._error(number, str(error).rstrip("."), column) from error
        # What decoding alone would not show rightly is stored as the RGB that it should be.
        return (struct if header.plain else {"bytes": encode_png(image), "path": None}), header.size

    def _locate(self, value: Any, column: str, number: int) -> dict[str, Any]:
        """{"bytes", "path"} with a path that opens from here."""
        if isinstance(value, bytes):
            return {"bytes": value, "path": None}
        struct = value if isinstance(value, dict) else {"bytes": None, "path": value}
        content, path = struct.get("bytes"), struct.get("path")
        if content is not None:
            return {"bytes": content, "path": path}
        if not isinstance(path, str):
            raise self._error(number, f"expected a picture, bytes or a path, found {type(value).__name__}", column)
        if not os.path.isabs(path) and "://" not in path:
            if self.image_dir is None:
                raise self._error(number, f"the path {path!r} is relative to nothing; give `image_dir`", column)
            path = str(Path(self.image_dir) / path)
        return {"bytes": None, "path": path}

    # text -------------------------------------------------------------------------------------------------------------

    def _fill(self, pieces: list, context: RowContext) -> str:
        return "".join(p if isinstance(p, str) else self._value(p, context) for p in pieces)

    def _value(self, placeholder: Placeholder, context: RowContext) -> str:
        column = placeholder.column
        if column == "prompt" and self.config.prompts is not None:
            value: Any = context.rng("prompt").choice(self.config.prompts)
        else:
            value = self._look_up(column, context)
        for name in placeholder.transforms:
            try:
                value = TRANSFORMS[name](value, context)
            except (ValueError, TypeError, KeyError, IndexError) as error:
                raise self._error(
                    context.row_number, f"the transform `{name}` failed: {str(error).rstrip('.')}", column
                ) from error
        if value is None:
            raise self._error(context.row_number, f"after `{placeholder.transforms[-1]}` there is no text", column)
        if isinstance(value, list | dict | bytes):
            cure = "choose a transform such as {column|join}, {column|first} or {column|draw}"
            raise self._error(context.row_number, f"expected text, found {type(value).__name__}; {cure}", column)
        return str(value)

    def _look_up(self, column: str, context: RowContext) -> Any:
        value = _walk(context.row, column)
        if value is None:
            raise self._error(context.row_number, "it is empty (None); expected text", column, True)
        return value

    def _conversation_turns(self, row: dict[str, Any], number: int) -> list[tuple[str, Any]]:
        keys = self.config.conversations
        roles = {keys[role]: role for role in ("user", "assistant", "system")}
        if isinstance(row[keys["column"]], str):
            marks = {mark: role for mark, role in roles.items() if mark != "system"}  # a word of many texts
            return self._marked_turns(row[keys["column"]], marks, number)
        turns = []
        for turn in self._turns(row, keys["column"], number):
            speaker = turn.get(keys["role"])
            if speaker not in roles:
                raise self._error(number, f"unknown speaker {speaker!r}; expected {', '.join(roles)}", keys["column"])
            turns.append((roles[speaker], turn.get(keys["text"])))
        return turns

    def _marked_turns(self, text: str, marks: dict[str, str], number: int) -> list[tuple[str, str]]:
        """Turns of a text that has each speaker's mark before his words; an empty last turn is where the talk was cut off."""
        pieces = re.split(f"({'|'.join(map(re.escape, marks))})", text)
        if len(pieces) == 1:
            column = self.config.conversations["column"]
            raise self._error(number, f"the text has none of the marks {', '.join(marks)}: {text[:60]!r}", column)
        turns = [(marks[mark], said.strip()) for mark, said in zip(pieces[1::2], pieces[2::2], strict=True)]
        return turns[:-1] if not turns[-1][1] else turns

    def _chat_turns(self, row: dict[str, Any], number: int) -> list[tuple[str, Any]]:
        column = self.config.messages_column
        return [(turn.get("role"), turn.get("content")) for turn in self._turns(row, column, number)]

    def _turns(self, row: dict[str, Any], column: str, number: int) -> list[dict]:
        turns = row[column]
        if not turns:
            raise self._error(number, "there are no turns; expected a list of them", column, True)
        if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
            raise self._error(number, f"expected a list of turns, found {str(turns)[:60]!r}", column)
        return turns

    # blocks -----------------------------------------------------------------------------------------------------------

    def _blocks(self, turns: list[tuple[str, Any]], pictures: int, number: int, answered: bool = False) -> list[dict]:
        messages = []
        for role, content in turns:
            if role not in ("system", "user", "assistant"):
                raise self._error(number, f"unknown role {role!r}; expected system, user or assistant")
            blocks = self._split(content, role, number)
            if role != "user" and any(block["type"] == "image" for block in blocks):
                raise self._error(number, f"the {role} turn holds {MARKER}; pictures belong to user turns")
            if not blocks and (role != "user" or messages):
                raise self._error(number, f"the {role} turn is empty; expected text")
            messages.append({"role": role, "content": blocks})
        first_user = next((m for m in messages if m["role"] == "user"), None)
        if first_user is None or not (answered or any(m["role"] == "assistant" for m in messages)):
            raise self._error(
                number, f"the roles are {[m['role'] for m in messages]}; expected a user and an assistant"
            )
        marked = sum(block["type"] == "image" for m in messages for block in m["content"])
        if marked == 0:
            first_user["content"] = [_image_block() for _ in range(pictures)] + first_user["content"]
        elif marked != pictures:
            raise self._error(
                number,
                f"the conversation has {marked} image places and the row {pictures} pictures; write {MARKER} once per "
                "picture, or nowhere (then the pictures come first), and check `image`",
            )
        if not first_user["content"]:
            raise self._error(number, "the first user turn is empty; expected text or a picture")
        return messages

    def _split(self, content: Any, role: str, number: int) -> list[dict]:
        """A turn's text, or its list of blocks, as blocks; `<image>` becomes the place of a picture."""
        if content is None:
            raise self._error(number, f"the {role} turn is empty (None); expected text")
        if isinstance(content, str):
            return _split_text(content)
        if not isinstance(content, list):
            raise self._error(
                number, f"the {role} turn is {type(content).__name__}; expected text or a list of blocks"
            )
        blocks = []
        for block in content:
            kind = block.get("type") if isinstance(block, dict) else None
            if kind == "image":
                blocks.append(_image_block())
            elif kind == "text" and isinstance(block.get("text"), str):
                blocks += _split_text(block["text"])
            else:
                raise self._error(
                    number, f"the {role} turn holds the block {str(block)[:60]}; expected type image or text"
                )
        return blocks


def _walk(row: dict[str, Any], column: str) -> Any:
    """The value of a column, or of a field inside a struct column ("meta.page"); None where there is none."""
    value: Any = row
    for key in [column] if column in row else column.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _image_block() -> dict[str, str | None]:
    return {"type": "image", "text": None}


def _split_text(text: str) -> list[dict]:
    """Text with markers as blocks; blanks at the ends and line breaks next to a marker belong to the marker, not the text."""
    blocks: list[dict] = []
    pieces = text.strip().split(MARKER)
    for place, piece in enumerate(pieces):
        if place > 0:
            blocks.append(_image_block())
        piece = piece.strip("\n") if len(pieces) > 1 else piece
        only_pictures_before = all(block["type"] == "image" for block in blocks)
        piece = piece.lstrip() if only_pictures_before else piece
        if piece.strip():
            blocks.append({"type": "text", "text": piece})
    return blocks


def name_labels(value: Any, feature: Any) -> Any:
    """A value of a row with class numbers replaced by class names, at any depth.

    Args:
        value: what the row holds.
        feature: its feature in the table; anything but a `ClassLabel`, or lists and structs of them, leaves the value as it is.

    Returns:
        The value; None for a class number below 0, which `datasets` writes for a missing label.
    """
    if value is None or feature is None:
        return value
    if isinstance(feature, ClassLabel):
        return feature.int2str(value) if isinstance(value, int) and value >= 0 else None
    if isinstance(feature, List | LargeList):
        return [name_labels(item, feature.feature) for item in value]
    if isinstance(feature, dict) and isinstance(value, dict):
        return {key: name_labels(item, feature.get(key)) for key, item in value.items()}
    return value
