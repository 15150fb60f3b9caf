"""What is wrong with a photo, told for every way in which one can be broken, and nothing told of a good one."""

import io
import os

import make
import pytest
from photo_server import photo_server
from PIL import Image

from camtraps import image_checks, remote
from camtraps.errors import CamtrapsError
from camtraps.image_checks import Checked, check
from camtraps.photo_lists import Listed
from camtraps.storage import Images


@pytest.fixture(autouse=True)
def one_process(monkeypatch):
    monkeypatch.setenv("CAMTRAPS_WORKERS", "1")


def encoded(kind, mode="RGB", size=(64, 48), **options):
    image = Image.effect_noise(size, 60).convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def with_thumbnail():
    """Make a JPEG whose header holds another one, with an end of its own."""
    exif = Image.Exif()
    exif[0x010E] = make.photo("deer").decode("latin-1")
    return encoded("JPEG", exif=exif.tobytes() + make.photo("deer"))


JPEG, PNG = make.photo("deer"), encoded("PNG")
SECOND = 4 + int.from_bytes(JPEG[4:6], "big")  # where its second part begins
SCAN = JPEG.index(b"\xff\xda")
GOOD = {
    "jpeg": JPEG,
    "progressive": encoded("JPEG", progressive=True),
    "appended": JPEG + b"\0" * 100 + b"camera's own",
    "filled": JPEG[:2] + b"\xff\xff" + JPEG[2:],
    "zeros before a part": JPEG[:SECOND] + b"\0\0" + JPEG[SECOND:],
    "restart before the scan": JPEG[:SCAN] + b"\xff\xd0" + JPEG[SCAN:],
    "thumbnail": with_thumbnail(),
    "cmyk": encoded("JPEG", "CMYK"),
    "png": PNG,
    "palette": encoded("PNG", "P"),
    "bmp": encoded("BMP"),
    "webp": encoded("WEBP"),
}
BAD = {
    "pdf": (b"%PDF-1.7 ...", "not an image"),
    "cut jpeg": (JPEG[: len(JPEG) * 3 // 4], "truncated"),
    "cut jpeg with thumbnail": (with_thumbnail()[:-300], "truncated"),
    "cut in the header": (JPEG[:200], "truncated"),
    "cut in the header, then zeros": (JPEG[:200] + bytes(len(JPEG)), "truncated"),
    "cut progressive": (encoded("JPEG", progressive=True)[:-400], "truncated"),
    "zeros at the end": (JPEG[: len(JPEG) * 3 // 4] + bytes(len(JPEG) // 4), "truncated"),
    "cut png": (PNG[: len(PNG) // 2], "truncated"),
    "empty": (b"", "empty"),
}


def kinds(folder, *names, fast=False):
    photos = [Listed(name, "", name) for name in names]
    return [found.kind for found in check(photos, Images({"": str(folder)}), fast)]


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("name", GOOD)
def test_a_good_photo_is_good(tmp_path, name, fast):
    (tmp_path / name).write_bytes(GOOD[name])
    photos = [Listed(name, "", name)]
    assert list(check(photos, Images({"": str(tmp_path)}), fast)) == [Checked(name, "good", "")]


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("name", BAD)
def test_a_broken_photo_is_found(tmp_path, name, fast):
    data, kind = BAD[name]
    (tmp_path / name).write_bytes(data)
    assert kinds(tmp_path, name, fast=fast) == [kind]


@pytest.mark.parametrize("fast", [False, True])
def test_a_photo_of_too_many_pixels_is_not_decoded(tmp_path, fast):
    header = encoded("BMP")
    (tmp_path / "bomb").write_bytes(header[:18] + (60_000).to_bytes(4, "little") * 2 + header[26:])
    assert kinds(tmp_path, "bomb", fast=fast) == ["too many pixels"]


def test_pixels_that_are_damaged_are_told_from_a_photo_that_is_cut_off(tmp_path):
    damaged = bytearray(PNG)
    damaged[len(PNG) // 2] ^= 0xFF
    (tmp_path / "a.png").write_bytes(damaged)
    assert kinds(tmp_path, "a.png") == ["damaged"]


def test_what_cannot_be_read_has_its_reason(tmp_path):
    (tmp_path / "folder.jpg").mkdir()
    names = ["no.jpg", "folder.jpg", "../up.jpg"]
    photos = [Listed(name, "", name) for name in names]
    assert list(check(photos, Images({"": str(tmp_path)}))) == [
        Checked("no.jpg", "missing", "photo not found"),
        Checked("folder.jpg", "not readable", "photo not readable: Is a directory"),
        Checked("../up.jpg", "not readable", f"'../up.jpg' leads out of the image folder {tmp_path}"),
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_a_photo_without_read_permission_is_told(tmp_path):
    (tmp_path / "a.jpg").write_bytes(JPEG)
    (tmp_path / "a.jpg").chmod(0)
    assert kinds(tmp_path, "a.jpg") == ["not readable"]


def test_remote_photos_are_checked_where_they_are_or_as_saved(tmp_path, monkeypatch):
    monkeypatch.setattr(remote, "PAUSE", 0.0)
    (tmp_path / "a").mkdir()
    (tmp_path / "a/saved.jpg").write_bytes(JPEG)
    with photo_server() as server:
        server.photos = {"/good.jpg": JPEG, "/cut.jpg": JPEG[:-300], "/saved.jpg": b"other"}
        server.answers = {"/closed.jpg": [403] * 9}
        images = Images({"a": server.address}, tmp_path)
        names = ["good.jpg", "cut.jpg", "no.jpg", "closed.jpg", "saved.jpg"]
        found = [each.kind for each in check([Listed(f"a/{name}", "a", name) for name in names], images)]
    assert found == ["good", "truncated", "missing", "not readable", "good"]


def test_many_photos_come_in_order_from_worker_processes(tmp_path, monkeypatch):
    monkeypatch.setenv("CAMTRAPS_WORKERS", "2")
    monkeypatch.setattr(image_checks, "AT_ONCE", 2)
    (tmp_path / "good").write_bytes(JPEG)
    (tmp_path / "bad").write_bytes(b"no photo")
    names = ["good", "bad", "no"] * 10
    assert kinds(tmp_path, *names) == ["good", "not an image", "missing"] * 10


def die(*_):
    os._exit(1)


def test_a_worker_that_is_killed_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("CAMTRAPS_WORKERS", "2")
    monkeypatch.setattr(image_checks, "_check_lot", die)
    with pytest.raises(CamtrapsError, match=r"^a worker process was killed .* run again with CAMTRAPS_WORKERS=1$"):
        kinds(tmp_path, "a.jpg")


def test_no_photos_are_no_findings(tmp_path):
    assert kinds(tmp_path) == []
