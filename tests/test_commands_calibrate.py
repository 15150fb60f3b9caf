"""The command that calibrates a detector, on a collection as a user has it."""

import numpy as np
import pytest
from test_calibration import box, collection

from camtraps import calibration, cli


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").touch()
    photos = [([box() | {"class": None}], [box(0.9), box(0.8, x=0.7)])] * 30
    collection(tmp_path / "data/mine", photos)

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            cli.main(["calibrate-detector", *arguments, "--name", "mine"])
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return run


def test_a_calibration_lies_beside_the_recorded_results_and_says_what_it_found(run, tmp_path):
    code, out, _ = run("v5")
    assert code == 0
    assert out.splitlines()[0] == "60 boxes of v5 in 30 photos with 30 human boxes:"
    assert "calibration error: raw 0.450, calibrated 0.000 (at held-out locations)" in out
    curves = calibration.read_all(tmp_path / "data/mine")
    assert curves["v5"](np.array([0.8, 0.9])).tolist() == [0.0, 1.0]
    assert curves["v5"].detector == "v5"


def test_a_calibration_from_elsewhere_is_checked_and_taken(run, tmp_path):
    np.savez(tmp_path / "c.npz", x=np.array([0.1, 0.9]), y=np.array([0.0, 1.0]))
    assert run("v5", "--from", "c.npz")[:2] == (0, "data/mine/detections/v5/calibration.npz: 2 points from c.npz\n")
    np.savez(tmp_path / "c.npz", x=np.array([0.1, 0.9]), y=np.array([0.0, 2.0]))
    code, _, err = run("v5", "--from", "c.npz")
    assert (code, err) == (1, "camtraps: c.npz: y[1]: expected a number from 0 to 1, got 2.0\n")
    assert calibration.read_all(tmp_path / "data/mine")["v5"].y.tolist() == [0.0, 1.0]


def test_a_folder_is_no_file_to_write(run, tmp_path):
    assert run("v5", "--out", "data")[::2] == (1, "camtraps: data: is a folder; name the file to write\n")


def test_a_version_that_is_not_there_or_leads_out_is_refused(run, tmp_path):
    np.savez(tmp_path / "c.npz", x=np.array([0.1, 0.9]), y=np.array([0.0, 1.0]))
    for more in ((), ("--from", "c.npz")):
        said = run("v6", *more)[::2]
        assert said == (1, "camtraps: data/mine/detections/v6: no recorded detections; there are: v5\n")
    code, _, err = run("../catalog")
    assert code == 1
    assert err.startswith("camtraps: '../catalog': expected the name of a folder in data/NAME/detections")
    assert not (tmp_path / "data/mine/detections/v6").exists()
