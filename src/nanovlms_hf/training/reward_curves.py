"""Reward curves as pictures: what the answers earned, while training and on held-out prompts."""

from pathlib import Path


def draw_reward_curve(history: list[dict], path: str | Path) -> bool:
    """Draws the mean reward over the steps.

    Args:
        history (`list[dict]`): `trainer.state.log_history` of a GRPO run: entries with `step` and `reward` or `eval_reward`.
        path (`str` or `Path`): PNG to write.

    Returns:
        `bool`: whether there was anything to draw.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    lines = {"training prompts (sampled)": "reward", "held-out prompts": "eval_reward"}
    points = {
        label: [(row["step"], row[key]) for row in history if row.get(key) is not None] for label, key in lines.items()
    }
    if not any(points.values()):
        return False
    figure, axes = plt.subplots(figsize=(7, 4), dpi=110)
    for label, pairs in points.items():
        if pairs:
            axes.plot(*zip(*pairs, strict=True), label=label, marker="o" if len(pairs) < 30 else None, markersize=3)
    axes.set_xlabel("optimizer step")
    axes.set_ylabel("mean reward")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)
    return True


__all__ = ["draw_reward_curve"]
