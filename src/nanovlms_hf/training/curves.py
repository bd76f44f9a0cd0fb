"""Loss curves as pictures: what a run looked like, at a glance."""

from pathlib import Path


def draw_loss_curve(history: list[dict], path: str | Path) -> bool:
    """Draws training and validation loss over the steps.

    Args:
        history (`list[dict]`): `trainer.state.log_history`: entries with `step` and `loss` or `eval_loss`.
        path (`str` or `Path`): PNG to write.

    Returns:
        `bool`: whether there was anything to draw.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    lines = {"training": "loss", "validation": "eval_loss"}
    points = {label: [(row["step"], row[key]) for row in history if key in row] for label, key in lines.items()}
    if not any(points.values()):
        return False
    figure, axes = plt.subplots(figsize=(7, 4), dpi=110)
    for label, pairs in points.items():
        if pairs:
            axes.plot(*zip(*pairs, strict=True), label=label, marker="o" if len(pairs) < 30 else None, markersize=3)
    axes.set_xlabel("optimizer step")
    axes.set_ylabel("loss (nats a supervised token)")
    axes.set_yscale("log")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)
    return True


__all__ = ["draw_loss_curve"]
