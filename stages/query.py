"""query: catalog, taxonomy, label specification, corrections -> the photos to learn from."""

from camtraps import catalog, corrections, labels, layout, taxonomy
from camtraps.collections import read_images
from camtraps.failures import Counts, close
from camtraps.files import write_json, write_text
from camtraps.params import load
from camtraps.query import QueryParams, choose
from stages._run import run, warn


def main() -> Counts:
    """Run the stage."""
    params, collection, out = load(QueryParams, "query"), layout.collection(), layout.QUERIED
    spec_path = collection / layout.label_spec()
    taxa, rules = taxonomy.read(collection / "taxonomy.csv"), labels.read(spec_path)
    database = catalog.connect(collection / "catalog")
    selection = labels.resolve(rules, taxa, catalog.pairs(database), spec_path, params.allow_multilabel)
    decisions = corrections.read_latest(collection / "corrections.csv")
    chosen = choose(database, selection, decisions, params, read_images(collection))
    chosen.write(out)
    write_json(out / "labels.json", selection.described(taxa))
    write_json(out / "label_index.json", chosen.label_index())
    write_text(out / "photos_by_label.csv", chosen.by_dataset.to_csv(index=False))
    warn(*selection.warnings, *chosen.warnings())
    return close(out, chosen.counts(), chosen.failure_rows(), params.max_failed, chosen.details(), chosen.num_unlisted)


if __name__ == "__main__":
    run("query", main)
