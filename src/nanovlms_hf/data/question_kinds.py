"""More kinds of rows for a recipe's mixture: questions with short answers, and text without a picture; see `mixture_kinds.py`.

| kind | options |
|---|---|
| document_questions | fields of `DocumentConfig`; `questions`, turns about each page; `texts`, as for documents |
| chart_questions | fields of `ChartConfig`; `questions`, turns about each chart |
| conversations | fields of `ConversationConfig` |
"""

from functools import partial
from typing import Any

from .chart_questions import chart_question_row
from .charts import ChartConfig
from .conversations import ConversationConfig, conversation_row
from .documents import DocumentConfig
from .mixture_config import config_from, register_rows
from .mixture_kinds import own_and_config
from .mixture_parts import DrawnRows, RowSource
from .page_questions import page_question_row
from .text_columns import open_text_column


@register_rows("document_questions")
def document_questions(options: Any, *, split: str, seed: int, image_size: int) -> RowSource:
    """Pages that are drawn and asked about."""
    own, config = own_and_config(options, ("questions", "texts"), DocumentConfig, image_size, "document_questions")
    if own.get("texts") is not None:
        own["texts"] = open_text_column(own["texts"], config)
    return DrawnRows(partial(page_question_row, seed, split, config=config, **own))


@register_rows("chart_questions")
def chart_questions(options: Any, *, split: str, seed: int, image_size: int) -> RowSource:
    """Charts that are drawn and asked about."""
    own, config = own_and_config(options, ("questions",), ChartConfig, image_size, "chart_questions")
    return DrawnRows(partial(chart_question_row, seed, split, config=config, **own))


@register_rows("conversations")
def conversations(options: Any, *, split: str, seed: int, image_size: int) -> RowSource:
    """Instructions and answers without a picture."""
    config = config_from(ConversationConfig, options, "conversations")
    return DrawnRows(partial(conversation_row, seed, split, config=config))


__all__ = ["chart_questions", "conversations", "document_questions"]
