"""The doctor: what it finds in this environment, and what it calls bad."""

import sys
from pathlib import Path

import pytest

from camtraps import cli, doctor
from camtraps.doctor import Finding

BIN = str(Path(sys.executable).parent)


@pytest.fixture
def activated(monkeypatch, tmp_path):
    """Put this environment first on the PATH, as `activate` does."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", BIN)
    return tmp_path / "bin"


def test_everything_is_examined_in_order(activated, work):
    findings = {finding.name: finding for finding in doctor.examine()}
    assert list(findings) == ["python", "pillow", "decoder", "regions", "torch", "vision", "cuda", "dvc", "work"]
    assert all(finding.good for finding in findings.values())
    assert findings["python"].text == f"{sys.version.split()[0]} at {sys.executable}"
    assert findings["work"].text.startswith(f"{work}, ")


def test_a_finding_is_one_line():
    assert Finding("dvc", "3.66").line() == "ok  dvc      3.66"
    assert Finding("dvc", "gone", good=False).line() == "BAD dvc      gone"


def test_a_foreign_python_on_the_path_is_bad(activated, monkeypatch):
    foreign = activated / "python"
    foreign.write_text("#!/bin/sh\n")
    foreign.chmod(0o755)
    monkeypatch.setenv("PATH", f"{activated}:{BIN}")
    finding = doctor._dvc()
    assert not finding.good
    assert finding.text.endswith(f", but `python` on the PATH is {foreign}: `. {BIN}/activate` first")


def test_a_missing_dvc_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(doctor, "_version", lambda package: None)
    expected = Finding("dvc", "not installed in this environment; run `make install`", good=False)
    assert doctor._dvc() == expected


def test_a_pillow_simd_that_is_hidden_by_pillow_is_bad(monkeypatch):
    import PIL

    monkeypatch.setattr(PIL, "__version__", "12.1.1")
    monkeypatch.setattr(doctor, "_version", {"pillow-simd": "12.1.1.post0"}.get)
    expected = Finding("pillow", "12.1.1 hides the installed pillow-simd 12.1.1.post0; run `make simd`", good=False)
    assert doctor._pillow() == expected


def test_without_the_region_decoder_pillow_decodes_and_nothing_is_bad(monkeypatch):
    assert doctor._regions().text.startswith("nvimgcodec ")
    monkeypatch.setattr("camtraps.regions.decoder", lambda: None)
    assert doctor._regions().text.startswith("Pillow decodes whole photos")
    assert doctor._regions().good


def test_a_work_folder_that_cannot_be_made_is_bad(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("CAMTRAPS_WORK", str(tmp_path / "file"))
    finding = doctor._work()
    assert not finding.good
    assert finding.text.startswith("cannot be written: ")
    assert finding.text.endswith("; set CAMTRAPS_WORK")


def test_the_version_of_a_package_that_is_not_there_is_none():
    assert doctor._version("camtraps-of-nowhere") is None
    assert doctor._version("pytest") == pytest.__version__


@pytest.mark.parametrize(("good", "code"), [(True, 0), (False, 1)])
def test_a_bad_finding_is_exit_code_1(monkeypatch, capsys, good, code):
    monkeypatch.setattr(doctor, "examine", lambda: [Finding("python", "3.11"), Finding("dvc", "3.66", good)])
    with pytest.raises(SystemExit) as ended:
        cli.main(["doctor"])
    assert ended.value.code == code
    assert capsys.readouterr().out.splitlines()[0] == "ok  python   3.11"
