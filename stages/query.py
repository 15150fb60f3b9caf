"""query: catalog, taxonomy, label specification, corrections -> the photos to learn from."""

from camtraps import catalog, corrections, labels, layout, tables, taxonomy
from camtraps.failures import Counts, close
from camtraps.files import write_json
from camtraps.params import load
from camtraps.query import QueryParams, choose
from camtraps.schema import BOXES, QUERIED
from stages._run import run, warn


def main() -> Counts:
    """Run the stage."""
    params, collection, out = load(QueryParams, "query"), layout.collection(), layout.QUERIED
    spec_path = collection / "label_spec.json"
    taxa, rules = taxonomy.read(collection / "taxonomy.csv"), labels.read(spec_path)
    database = catalog.connect(collection / "catalog")
    selection = labels.resolve(rules, taxa, catalog.pairs(database), spec_path)
    chosen = choose(database, selection, corrections.read_latest(collection / "corrections.csv"), params.seed)
    tables.write_arrow(chosen.photos, out / "queried.parquet", QUERIED)
    tables.write_arrow(chosen.boxes, out / "boxes.parquet", BOXES)
    write_json(out / "labels.json", selection.by_label())
    warn(*chosen.warnings())
    details = {"photos_by_label": chosen.photos_by_label()}
    return close(out, chosen.counts(), chosen.failure_rows(), params.max_failed, details)


if __name__ == "__main__":
    run("query", main)
