"""mislabel: predictions -> labels that are probably wrong, most suspicious first."""

from camtraps import layout, tables
from camtraps.failures import Counts, close
from camtraps.files import read_json, write_text
from camtraps.params import load
from camtraps.predictions import read
from camtraps.review import MislabelParams, rank
from camtraps.schema import CANDIDATES
from stages._run import run


def main() -> Counts:
    """Run the stage."""
    params, out = load(MislabelParams, "mislabel"), layout.REVIEW
    predictions = read(layout.PREDICTIONS / "predictions.parquet")
    ranked = rank(predictions, read_json(layout.PREDICTIONS / "classes.json"), params.min_margin)
    tables.write(ranked.candidates, out / "candidates.parquet", CANDIDATES)
    columns = CANDIDATES.schema.names
    write_text(out / "candidates.csv", ranked.candidates[columns].to_csv(index=False, lineterminator="\n"))
    return close(
        out, Counts.of("photos", ranked.num_photos, len(ranked.candidates), ranked.skipped), ranked.skipped, 1.0
    )


if __name__ == "__main__":
    run("mislabel", main)
