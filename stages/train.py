"""train: crops and splits -> the classifier and its learning curves."""

from camtraps import layout, models, ranks, tables
from camtraps.curves import logging
from camtraps.failures import Counts, close
from camtraps.files import read_json, write_json
from camtraps.params import load
from camtraps.recipes import TrainParams
from camtraps.schema import ASSIGNED, CROPS
from camtraps.tasks import prepare
from camtraps.training import describe, train
from camtraps.transforms import AUGMENTATIONS
from stages._run import run


def main() -> Counts:
    """Run the stage; under `torchrun`, rank 0 alone writes."""
    params, out = load(TrainParams, "train"), layout.TRAINING
    crops = tables.read(layout.CROPS / "crops.parquet", CROPS)
    assigned = tables.read(layout.SPLITS / "assigned.parquet", ASSIGNED)
    task = prepare(crops, assigned, layout.CROPS, params.image_size, AUGMENTATIONS[params.augmentation])
    ranks.launch(params.devices, "stages.train")
    with ranks.joined(), logging(out, params.tensorboard) as log:
        trained = train(task, params, log)
    failed = task.failures(trained.failed)
    counts = task.counts(failed)
    if ranks.rank() > 0:
        return counts
    write_json(out / "history.json", trained.history)
    taxa, rule = read_json(layout.QUERIED / "labels.json"), read_json(layout.CROPS / "rule.json")
    models.save(layout.CLASSIFIER, trained.network, describe(task, trained, params, taxa, rule))
    details = {"epochs": len(trained.history), "best_epoch": trained.best_epoch, "temperature": trained.temperature}
    return close(out, counts, failed, params.max_failed, details)


if __name__ == "__main__":
    run("train", main)
