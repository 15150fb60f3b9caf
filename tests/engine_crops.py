"""Cut drawn photos and classify the crops with the engine of the environment; prints a digest of all that comes out."""

import sys
from pathlib import Path

import pandas as pd
import torch
from make_networks import INFO, SMALL
from make_tables import rows
from test_cutting import boxes_of, params, photo

from camtraps import inference, models
from camtraps.cutting import cut_all
from camtraps.files import digest
from camtraps.networks import build
from camtraps.schema import ASSIGNED
from camtraps.storage import Images

PLACES = ("north", "south", "west")


def main(folder: Path, name: str) -> None:
    """Work below FOLDER, whose photos and model are made by the first call."""
    given = [(f"{place}/{at}.jpg", place, {}) for place in PLACES for at in range(4)]
    if not (folder / "model").exists():
        for at, (file, *_) in enumerate(given):
            photo(folder / "photos" / file, colour=(20 * at, 200, 30))
        torch.manual_seed(0)
        models.save(folder / "model", build(SMALL, 3, 32), INFO)
    out = folder / f"crops-{name}"
    cut = cut_all(boxes_of(*given), Images({"d": str(folder / "photos")}), params(), out)
    crops = cut.crops.reset_index(drop=True)
    assigned = rows(ASSIGNED, *({"image": image, "box": 0} for image in crops["image"]))
    found = inference.classify(folder / "model", crops, assigned, out)
    files = [path.read_bytes() for path in sorted(out.rglob("*.zip"))]
    table = pd.util.hash_pandas_object(crops.astype(str)).to_numpy().tobytes()
    all_of_it = digest(*files, table, found.logits.tobytes(), found.is_grey.tobytes())
    sys.stdout.write(f"{len(crops)} {all_of_it}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
