"""Sample predictions: a few crops of each label in turn, as pictures with a text of what the classifier says."""

from pathlib import Path

import numpy as np
import pandas as pd

from camtraps import tops
from camtraps.classifier import Classifier
from camtraps.exports.crops import put
from camtraps.images import decode_crop
from camtraps.shards import Reader, member_name

LONGEST = 230  # characters of a file's name that are kept, the last ones


def choose(crops: pd.DataFrame, num: int, seed: int) -> pd.DataFrame:
    """Draw crops, one of each label in turn, until there are enough or no more.

    Args:
        crops: rows with image, box and label.
        num: how many.
        seed: of the draw; the order of the rows does not matter.
    """
    generator = np.random.default_rng(seed)
    labels = generator.permutation(sorted(set(crops["label"])))
    shuffled = crops.sort_values(["image", "box"]).iloc[generator.permutation(len(crops))]
    turn = shuffled.groupby("label").cumcount()
    place = shuffled["label"].map({label: at for at, label in enumerate(labels)})
    return shuffled.assign(turn=turn, place=place).sort_values(["turn", "place"]).drop(columns=["turn", "place"])[:num]


def write(crops: pd.DataFrame, shards_folder: Path, classifier: Classifier, num_classes: int, out: Path) -> list[Path]:
    """Write each crop as a picture, and beside it a text of its most probable classes; give the pictures' paths.

    Args:
        crops: rows of the crops table.
        shards_folder: what its ``shard`` column is relative to.
        classifier: to ask.
        num_classes: to name.
        out: the folder to write into. The folders of a crop's name are joined by ``___``.

    Raises:
        InputError: a crop is damaged, or something stands in the way.
        MissingError: a shard is not there.
    """
    reader, size = Reader(shards_folder), classifier.info.image_size
    places = crops[["shard", "offset", "length"]].itertuples(index=False, name=None)
    jpegs = [reader.read(*place) for place in places]
    logits = classifier.logits(decode_crop(jpeg, size) for jpeg in jpegs)
    names = map(member_name, crops["image"], crops["box"], crops["detector"])
    paths = []
    for name, jpeg, probabilities in zip(names, jpegs, classifier.probabilities(logits), strict=True):
        flat = name.replace("/", "___")[-LONGEST:]
        text = "\n".join(tops.sentences(probabilities, classifier.info.classes, num_classes)) + "\n"
        put(out, flat, jpeg)
        put(out, f"{flat.removesuffix('.jpg')}.txt", text.encode())
        paths.append(out / flat)
    return paths
