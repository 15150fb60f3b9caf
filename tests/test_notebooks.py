"""The notebooks run from top to bottom, each in a kernel of its own, and are kept without outputs."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from imports import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def repository(drawn, tmp_path_factory):
    folder = tmp_path_factory.mktemp("notebooks") / "repository"
    shutil.copytree(drawn, folder)
    shutil.copyfile(ROOT / "params.yaml", folder / "params.yaml")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    return folder


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_in_its_own_folder_and_shows_something_in_every_cell(repository, path, tmp_path):
    own = {name: str(tmp_path / name) for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR")}
    jupyter = Path(sys.executable).with_name("jupyter")
    command = [jupyter, "execute", f"notebooks/{path.name}", f"--output={path.stem}.done.ipynb"]
    paths = {"PATH": f"{jupyter.parent}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    environment = os.environ | own | paths
    done = subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    cells = json.loads((repository / f"notebooks/{path.stem}.done.ipynb").read_text())["cells"]
    shown = [cell["outputs"] for cell in cells if cell["cell_type"] == "code"]
    assert all(shown)
    pages = [output["data"].get("text/html", "") for outputs in shown for output in outputs if "data" in output]
    assert "<img src=x onerror" not in str(pages)  # a label that would like to be markup


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path):
    cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    assert cells
    assert not [cell for cell in cells if cell["outputs"] or cell["execution_count"]]
