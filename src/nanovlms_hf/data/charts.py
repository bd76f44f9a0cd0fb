"""Charts that know their table: line, bar, pie and scatter charts with their values as Markdown or as a python dict.

    chart = make_chart(seed=0, split="train", index=7, config=ChartConfig())
    render_chart(chart, 192)   # the picture
    chart.markdown()           # "# Lemon in Brea\\n\\n| Year | Opal (kg) |\\n| --- | --- |\\n| 1987 | 12.5 |..."
    chart.python_dict()        # "{'title': 'Lemon in Brea', 'names': 'Year', 'measure': 'Opal (kg)', 'values': {'1987': 12.5, ...}}"

The tasks are those of Vary (arXiv 2312.06109), whose vision vocabulary learns to write charts out as python dicts, and of
Vary-toy (arXiv 2401.12503), which adds Markdown.
"""

import random

from .chart_data import KINDS, Chart, ChartConfig, make_chart
from .chart_drawing import render_chart
from .chart_tables import ChartTable

# The papers' own wording first, then ours.
CHART_PROMPTS: dict[str, tuple[str, ...]] = {
    "chart_markdown": (
        "Convert the image to markdown format.",
        "Write the values of this chart as a markdown table.",
        "Turn the chart into a table in markdown.",
        "Which numbers does this chart show? Answer with a markdown table.",
        "Read the chart and give its data in markdown.",
        "Put what the chart says into a markdown table.",
        "Give me the table behind this chart, in markdown.",
        "List the data of the figure as a markdown table.",
        "Transcribe this chart to markdown.",
        "Extract the chart's title and values in markdown format.",
        "Make a markdown table out of this plot.",
        "Rewrite this figure as text: a markdown table, please.",
    ),
    "chart_dict": (
        "Convert this chart to python-dict",
        "Write the values of this chart as a python dict.",
        "Turn the chart into a python dictionary.",
        "Which numbers does this chart show? Answer with a python dict.",
        "Read the chart and give its data as a python dict.",
        "Put what the chart says into a python dictionary.",
        "Give me the data behind this chart, as a python dict.",
        "List the data of the figure as a python dict.",
        "Transcribe this chart to a python dictionary.",
        "Extract the chart's title and values as a python dict.",
        "Make a python dict out of this plot.",
        "Rewrite this figure as text: a python dict, please.",
    ),
}


def chart_row(
    seed: int, split: str, index: int, config: ChartConfig | None = None, task: str = "chart_markdown"
) -> dict[str, list]:
    """A picture of a chart and a chat about it, a pure function of the arguments.

    Args:
        seed (`int`), split (`str`), index (`int`), config (`ChartConfig`, *optional*): as for `make_chart`.
        task (`str`, defaults to `"chart_markdown"`): `chart_markdown` or `chart_dict`.

    Returns:
        `dict[str, list]`: `images`, one RGB picture, and `messages`, a user turn with the picture and an assistant turn.

    Raises:
        ValueError: if the task or the split is unknown, or the index is negative.
    """
    if task not in CHART_PROMPTS:
        raise ValueError(f"task={task!r} is unknown; choose one of {', '.join(CHART_PROMPTS)}.")
    config = config or ChartConfig()
    chart = make_chart(seed, split, index, config)
    prompts = CHART_PROMPTS[task] if config.paraphrases else CHART_PROMPTS[task][:1]
    prompt = random.Random(f"{seed}:{split}:{index}:{task}").choice(prompts)
    answer = chart.markdown() if task == "chart_markdown" else chart.python_dict()
    return {
        "images": [render_chart(chart, config.image_size)],
        "messages": [
            {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt}]},
            {"role": "assistant", "content": [{"type": "text", "text": answer}]},
        ],
    }


__all__ = ["CHART_PROMPTS", "KINDS", "Chart", "ChartConfig", "ChartTable", "chart_row", "make_chart", "render_chart"]
