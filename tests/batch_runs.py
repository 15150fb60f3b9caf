"""Runs of the Batch Detection API's detector against the server of `batch_server`."""

import pandas as pd
from make_tables import detect_params

from camtraps.detectors import batch_api, batch_client

BOX = {"x": 0.1, "y": 0.2, "w": 0.3, "h": 0.4, "confidence": 0.9, "category": "animal"}
PARAMS = detect_params(detector="batch_api", model="4.1")


def set_up(server, monkeypatch):
    monkeypatch.setattr(batch_client, "PAUSES", (0.0, 0.0))
    monkeypatch.setattr(batch_api, "PROBLEM_ROUNDS", 3)
    monkeypatch.setattr(batch_api, "SILENT_ROUNDS", 4)
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)


def photos(server, *files, dataset="alpha"):
    root = f"{server.host}/photos/{dataset}"
    given = [(f"{dataset}/{file}", dataset, file, f"{root}/{file.replace(' ', '%20')}") for file in files]
    return pd.DataFrame(given, columns=["image", "dataset", "file", "source"])


def run(*tables, params=PARAMS):
    """Run the detector; give boxes or the failure of each image, each of which must come once."""
    kept = []
    batch_api.detect(pd.concat(tables), params, kept.extend, interval=0)
    answers = {row["image"]: row["failure"] or row["boxes"] for row in kept}
    assert len(answers) == len(kept)
    assert set(answers) == {image for table in tables for image in table["image"]}
    return answers


class Killed(BaseException):
    """What stands for the end of the process."""
