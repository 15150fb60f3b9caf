"""report: what all stages wrote -> metrics for git and pages for people."""

from camtraps import collections, layout, runs, taxonomy
from camtraps.failures import Counts
from camtraps.files import write_json, write_text
from camtraps.params import load
from camtraps.reports import ReportParams, Sources, compose, plots
from camtraps.shards import Reader
from stages._run import run

LARGE = {"confusion"}  # a row for each crop: too much for git


def main() -> Counts:
    """Run the stage."""
    params, collection = load(ReportParams, "report"), layout.collection()
    this = runs.read(collection)
    for stage, metrics in (this.counts | {"evaluate": this.scores}).items():
        write_json(layout.METRICS / f"{stage}.json", metrics)
    write_text(layout.METRICS / "per_class.csv", (layout.EVALUATION / "per_class.csv").read_text(encoding="utf-8"))
    for name, table in plots(this).items():
        folder = layout.REPORTS if name in LARGE else layout.METRICS
        write_text(folder / "plots" / f"{name}.csv", table.to_csv(index=False, lineterminator="\n"))
    sources = Sources(
        photos=collections.read_images(collection),
        crops=Reader(layout.CROPS),
        examples=Reader(layout.EVALUATION),
        taxonomy=taxonomy.read(collection / "taxonomy.csv"),
    )
    pages = compose(this, sources, params)
    for name, text in pages.items():
        write_text(layout.REPORTS / name, text)
    return Counts(unit="pages", rows_in=len(pages), rows_out=len(pages), skipped=0, failed=0)


if __name__ == "__main__":
    run("report", main)
