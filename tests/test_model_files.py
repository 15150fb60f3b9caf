"""Files of MegaDetector's models: by name and by path, downloaded once, never unpickled unless vouched for."""

import hashlib
import http.server
import pickle
import threading
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from imports import ROOT
from make_tables import detect_params

from camtraps.detectors import megadetector

package = pytest.importorskip(
    "megadetector.detection.run_detector", reason="needs the package megadetector; run `make megadetector`"
)

from make_megadetector import RED, REDWOOD, TinyDet, checkpoint, look, photo, publish, refusal, sha, table, trusted  # noqa: E402


@pytest.fixture(autouse=True)
def shim(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tests/megadetector_shim"))


def num_boxes(path: Path, model: str) -> int:
    return len(look(table(path), model)[path.name]["boxes"])


class Harm:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_file_that_nobody_vouched_for_is_never_unpickled(tmp_path, monkeypatch):
    monkeypatch.delenv("CAMTRAPS_TRUST_MODEL", raising=False)
    file, mark, path = tmp_path / "evil.pt", tmp_path / "mark", photo(tmp_path / "a.png")
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("evil/data.pkl", pickle.dumps(Harm(mark), protocol=2))
        archive.writestr("evil/version", "3")
    assert refusal(path, model=str(file)) == (
        f"{file}: none of MegaDetector's published files, and loading a model can run any code hidden in it; if you "
        f"trust its maker, set CAMTRAPS_TRUST_MODEL={sha(file)}"
    )
    trusted(checkpoint(tmp_path / "other.pt"), monkeypatch)
    refusal(path, model=str(file))
    megadetector.version(detect_params(model=str(file)))
    assert not mark.exists()
    trusted(file, monkeypatch)
    refusal(path, model=str(file))
    assert mark.exists()  # it would have run


@pytest.fixture
def server(tmp_path):
    """Serve a folder over HTTP; give it, its address and the paths asked for."""
    folder, asked = tmp_path / "served", []
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            asked.append(self.path)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder)) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{listening.server_port}", asked
        listening.shutdown()


def test_a_model_known_by_name_is_downloaded_once(tmp_path, server, monkeypatch, work):
    folder, address, asked = server
    publish(checkpoint(folder / "md.pt"), monkeypatch, f"{address}/md.pt")
    path = photo(tmp_path / "a.png", (RED, (40, 60, 120, 100)))
    assert num_boxes(path, "MDv1000-Redwood") == 1
    assert sha(work / "models/md.pt") == sha(folder / "md.pt")
    asked.clear()
    assert num_boxes(path, REDWOOD) == 1
    assert asked == []


def test_a_download_that_is_not_the_published_file_is_refused_and_removed(tmp_path, server, monkeypatch, work):
    folder, address, _ = server
    publish(checkpoint(tmp_path / "true.pt"), monkeypatch, f"{address}/md.pt")
    wanted = package.known_models[REDWOOD]["md5"]
    got = hashlib.md5(checkpoint(folder / "md.pt", TinyDet(most=1)).read_bytes()).hexdigest()
    assert refusal(photo(tmp_path / "a.png"), model="redwood") == (
        f"{address}/md.pt: not {REDWOOD}: expected MD5 {wanted}, got {got}; try again later"
    )
    assert list((work / "models").iterdir()) == []


def test_without_a_network_the_address_of_the_file_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(package.known_models, REDWOOD, {"url": "http://127.0.0.1:9/md.pt", "md5": "0"})
    said = refusal(photo(tmp_path / "a.png"), model="redwood")
    assert said.startswith("http://127.0.0.1:9/md.pt: cannot be downloaded: ")
    assert said.endswith("; detect.model may also be the path of that file")


def test_a_version_names_the_published_model_or_the_bytes_of_a_file(tmp_path, monkeypatch):
    def version(model: str | None, **more: Any) -> str:
        return megadetector.version(detect_params(model=model, **more))

    assert version(None) == version("mdv5a") == version("MDV5A") == "megadetector_v5a.0.1"
    assert version("MDv1000-cedar", image_size=640) == "megadetector_v1000.0.0-cedar_640px"
    file = checkpoint(tmp_path / "my model(2).pt")
    assert version(str(file)) == f"megadetector_my_model_2_-{sha(file)[:8]}"
    publish(file, monkeypatch)
    assert version(str(file)) == "megadetector_v1000.0.0-redwood"


def test_a_model_that_cannot_be_is_refused_in_one_line(tmp_path, monkeypatch):
    path, gone, text, empty = (tmp_path / name for name in ("a.png", "gone.pt", "text.pt", "empty.pt"))
    photo(path)
    said = refusal(path, model="mdv6")
    assert said.startswith("detect.model: no model is called 'mdv6'; choose mdv2, mdv3, mdv4, mdv5a, ")
    assert said.endswith(" or a file .pt/.pth/.pb")
    assert refusal(path, model=str(gone)) == f"{gone}: not found; check detect.model in params.yaml"
    text.write_text("no model")
    assert refusal(path, model=str(text)).startswith(f"{text}: not a PyTorch model, or damaged (expected a ZIP")
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("a/b", "")
    assert refusal(path, model=trusted(empty, monkeypatch)).startswith(f"{empty}: cannot be used as a detector: ")
    broken = checkpoint(tmp_path / "broken.pt", TinyDet(most=0))
    assert refusal(path, model=trusted(broken, monkeypatch), image_size=320) == (
        f"{broken}: does not work here at detect.image_size 320: model failed: "
        "CUDA out of memory. Tried to allocate 2.00 GiB."
    )
