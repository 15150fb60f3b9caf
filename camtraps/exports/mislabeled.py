"""The lists of CameraTraps: photos whose prediction beats the label by a margin, a file for each split and dataset."""

from pathlib import Path

import pandas as pd

from camtraps.files import write_text


def export(judged: pd.DataFrame, folder: Path, margin: float, with_dataset: bool) -> str:
    """Write ``mislabeled_candidates_SPLIT_DATASET.txt``, the names of photos, sorted, one a line.

    As in CameraTraps one crop that contradicts is enough; but where prediction and label are the same, none does.

    Args:
        judged: rows of the table of judged crops.
        folder: where to write.
        margin: p(predicted) - p(label) at least, 0 to 1.
        with_dataset: put the dataset and a slash before each name.

    Returns:
        What was written, in words.
    """
    found = judged[(judged["margin"] >= margin) & (judged["margin"] > 0)]
    groups = judged.groupby(["split", "dataset"]).groups
    for split, dataset in groups:
        images = found.loc[(found["split"] == split) & (found["dataset"] == dataset), "image"]
        names = images if with_dataset else images.str.removeprefix(f"{dataset}/")
        text = "".join(f"{name}\n" for name in sorted(set(names)))
        write_text(folder / f"mislabeled_candidates_{split}_{dataset}.txt", text)
    return f"{found['image'].nunique():,} photos with a margin of {margin} in {len(groups)} files"
