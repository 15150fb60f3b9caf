"""Extreme examples: for each label the crops that were right and wrong with most confidence, as small pictures."""

import numpy as np
import pandas as pd
from PIL import Image

from camtraps.images import decode_crop, encode
from camtraps.predictions import Predictions
from camtraps.shards import Reader

SIDE_PX, QUALITY = 160, 85
SHARD = "examples.zip"
KINDS = ("tp", "fp", "fn")  # right; wrongly taken for the label; of the label, taken for another


def choose(predictions: Predictions, classes: list[str], num: int, split: str = "test") -> pd.DataFrame:
    """Choose the most extreme crops of each label and kind.

    The priority of a right one is its probability less that of the second best class, of a wrong one the probability
    of the prediction less that of the label; wrong ones stand under the prediction (fp) and under the label (fn).

    Args:
        predictions: the predictions table.
        classes: in the order of the probabilities.
        num: at most so many of each kind and label.
        split: from which crops.

    Returns:
        label, kind, rank (from 1), image, box, actual, predicted, confidence, priority, sorted by the first three.
    """
    chosen = predictions.where((predictions.crops["split"] == split).to_numpy())
    crops, probabilities = chosen.crops, chosen.probabilities
    table = crops[["image", "box", "confidence"]].assign(actual=crops["label"], predicted=crops["prediction"])
    index = {name: at for at, name in enumerate(classes)}
    own = probabilities[np.arange(len(crops)), crops["label"].map(index).to_numpy(np.int64)]
    second, best = np.partition(probabilities, -2, axis=1)[:, -2:].T
    right = (table["actual"] == table["predicted"]).to_numpy()
    table = table.assign(priority=np.where(right, best - second, best - own).astype(np.float64).round(6))
    parts = [
        table[right].assign(kind="tp", label=table["actual"]),
        table[~right].assign(kind="fp", label=table["predicted"]),
        table[~right].assign(kind="fn", label=table["actual"]),
    ]
    ordered = pd.concat(parts).sort_values(["priority", "image", "box"], ascending=[False, True, True], kind="stable")
    ranked = ordered.assign(rank=ordered.groupby(["label", "kind"]).cumcount() + 1).query("rank <= @num")
    by_kind = ranked.assign(order=ranked["kind"].map(KINDS.index)).sort_values(["label", "order", "rank"])
    columns = ["label", "kind", "rank", "image", "box", "actual", "predicted", "confidence", "priority"]
    return by_kind[columns].reset_index(drop=True)


def pictures(chosen: pd.DataFrame, crops: pd.DataFrame, reader: Reader) -> list[tuple[str, bytes]]:
    """Make a small JPEG of each chosen crop, as members of a shard in the order of the rows, named by their number.

    Args:
        chosen: rows of `choose`.
        crops: rows of the crops table.
        reader: of its shards.
    """
    places = chosen[["image", "box"]].merge(crops, on=["image", "box"], how="left", validate="m:1")
    members = []
    for at, (shard, offset, length) in enumerate(zip(places["shard"], places["offset"], places["length"], strict=True)):
        picture = decode_crop(reader.read(shard, int(offset), int(length)), SIDE_PX)
        picture.thumbnail((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)
        members.append((f"{at:06}.jpg", encode(picture, QUALITY)))
    return members
