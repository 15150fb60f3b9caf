"""The pace of this machine: what is measured, and what it is taken for."""

import io

import pytest
import torch
from make_networks import INFO, SMALL
from PIL import Image

from camtraps import cli, models, networks, pace
from camtraps.pace import Pace, Subject


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pace") / "model"
    models.save(folder, networks.build(SMALL, 3, 32), INFO)
    return folder


@pytest.fixture(scope="module")
def paces(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAMTRAPS_WORKERS", "1")
        patch.setattr(pace, "BATCH_ON_CPU", 4)
        return pace.measure(Subject.of(folder), 0.05)


def test_cutting_classifying_and_training_are_measured(paces):
    assert [(each.work, each.unit) for each in paces] == [("cut", "photos"), ("classify", "crops"), ("train", "crops")]
    assert all(each.per_second > 0 for each in paces)
    assert paces[0].how.startswith("1 process, a crop of a JPEG of 2048 x 1536 px, ")
    assert f"{SMALL} at 32 px" in paces[1].how


def test_the_hours_are_those_of_all_photos():
    assert Pace("cut", 100.0, "photos", "").hours(360_000) == 1.0


def test_the_table_has_paces_and_hours():
    given = [Pace("cut", 100.0, "photos", "2 processes"), Pace("train", 50.0, "crops", "2 threads")]
    assert pace.table(given, 3_600_000) == [
        "cut            100.0 photos/s   2 processes",
        "train           50.0 crops/s   2 threads",
        "",
        "3,600,000 photos with one crop each, on this machine alone:",
        "cut             10.0 hours",
        "train           20.0 hours an epoch",
    ]


def test_the_first_time_and_the_start_are_not_counted(monkeypatch):
    clock = iter([10.0, 10.0, 11.0, 12.0])  # begun; nothing done; one done; two done
    monkeypatch.setattr(pace.time, "monotonic", lambda: next(clock))
    calls = []
    assert pace._rate(lambda: calls.append(1) or 3, seconds=2.0) == 3.0
    assert len(calls) == 3


def test_the_drawn_photo_is_as_large_as_those_of_cameras():
    data = pace._draw()
    with Image.open(io.BytesIO(data)) as photo:
        assert photo.size == (2048, 1536)
    assert 0.3e6 < len(data) < 2e6


def test_a_subject_is_a_model_folder_or_a_name(folder):
    assert Subject.of(folder) == Subject(SMALL, 32, 3, folder)
    assert Subject("resnet18", 32, 5).network()(torch.zeros(2, 3, 32, 32)).shape == (2, 5)


def test_the_doctor_measures_when_asked(folder, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(pace, "measure", lambda subject: asked.append(subject) or [Pace("cut", 1.0, "photos", "")])
    with pytest.raises(SystemExit) as end:
        cli.main(["doctor", "--bench", "--photos", "7200", "--network", str(folder)])
    assert end.value.code == 0
    assert asked == [Subject.of(folder)]
    assert "7,200 photos with one crop each" in capsys.readouterr().out


def test_a_network_that_nobody_knows_is_refused(monkeypatch, capsys):
    monkeypatch.setattr(pace, "measure", lambda subject: pytest.fail("measured"))
    with pytest.raises(SystemExit) as end:
        cli.main(["doctor", "--bench", "--network", "efficientnet-b99"])
    assert end.value.code == 1
    assert "efficientnet-b99" in capsys.readouterr().err
