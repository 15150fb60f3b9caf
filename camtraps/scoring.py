"""The epoch to keep: scores of val after each epoch, and which differences between them are more than noise."""

import numpy as np
from numpy.typing import NDArray

from camtraps import metrics

CLEARLY = 1.96  # standard errors
LOWER_IS_BETTER = ("log_loss",)

Scores = dict[str, float]


def judge(labels: metrics.Labels, logits: NDArray[np.float64], locations: NDArray[np.str_], metric: str) -> Scores:
    """Score val after an epoch.

    Args:
        labels: class indices, (crops,).
        logits: (crops, classes).
        locations: (crops,).
        metric: the one that decides; its standard error, by bootstrap over locations, is among the scores.
    """
    probabilities = metrics.calibrated(logits, 1.0)
    table = metrics.scores(labels, probabilities, locations, majority=0)
    if metric == "macro_recall":
        error = metrics.macro_recall_error(labels, probabilities, locations)
    else:
        right = (probabilities.argmax(axis=1) == labels).astype(float)
        loss = -np.log(np.clip(probabilities[np.arange(len(labels)), labels], 1e-7, 1))
        error = metrics.mean_error(right if metric == "top1" else loss, locations)
    chosen = {f"val_{name}": table[name] for name in ("log_loss", "top1", "macro_recall")}
    return chosen | {f"val_{metric}_error": round(error, 4)}


def is_kept(history: list[Scores], metric: str) -> bool:
    """Say whether the last epoch is not clearly worse than the best one so far.

    So the latest such epoch is kept: what differs less than the 95% interval over locations is noise where val has few
    of them, and later epochs have had the lower learning rate. (In the spirit of the one-standard-error rule of
    Breiman et al. 1984.)
    """
    sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
    top = max(history, key=lambda past: sign * past[f"val_{metric}"])
    limit = sign * top[f"val_{metric}"] - CLEARLY * top[f"val_{metric}_error"]
    return sign * history[-1][f"val_{metric}"] >= limit
