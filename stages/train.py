"""train: crops and splits -> the classifier and its learning curves."""

from dvclive.live import Live

from camtraps import layout, models, tables
from camtraps.failures import Counts, close, rows
from camtraps.files import read_json, write_json
from camtraps.params import load
from camtraps.schema import ASSIGNED, CROPS
from camtraps.tasks import prepare
from camtraps.training import TrainParams, describe, train
from stages._run import run


def main() -> Counts:
    """Run the stage."""
    params, out = load(TrainParams, "train"), layout.TRAINING
    crops = tables.read(layout.CROPS / "crops.parquet", CROPS)
    assigned = tables.read(layout.SPLITS / "assigned.parquet", ASSIGNED)
    task = prepare(crops, assigned, params.image_size, layout.CROPS)
    with Live(str(out), dvcyaml=False, save_dvc_exp=False) as live:

        def log(scores: dict[str, float]) -> None:
            for name, value in scores.items():
                live.log_metric(name, value)
            live.next_step()

        trained = train(task, params, log)
    write_json(out / "history.json", trained.history)
    taxa, rule = read_json(layout.QUERIED / "labels.json"), read_json(layout.CROPS / "rule.json")
    models.save(layout.CLASSIFIER, trained.network, describe(task, trained, params, taxa, rule))
    details = {"epochs": len(trained.history), "best_epoch": trained.best_epoch, "temperature": trained.temperature}
    return close(out, task.counts(), rows("train", "skipped", []), 1.0, details)


if __name__ == "__main__":
    run("train", main)
