"""Videos: frames at a rate, what is in them, and a reason where they cannot be read."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from make_classify import write_model

from camtraps import videos
from camtraps.cli import main
from camtraps.storage import PhotoError

cv2 = pytest.importorskip("cv2")
torch.set_num_threads(1)
FPS, NUM = 10, 30


def write_video(path, moving=True):
    """Film a blue thing that crosses a still scene, 3 seconds at 10 frames each."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), FPS, (320, 240))
    ground = np.kron(np.random.default_rng(0).integers(60, 160, (24, 32)), np.ones((10, 10))).astype(np.uint8)
    for at in range(NUM):
        frame = np.repeat(ground[:, :, None], 3, axis=2)
        if moving:
            frame[100:160, at * 8 : at * 8 + 60] = (240, 20, 20)
        writer.write(frame)
    writer.release()
    return path


def reason(path):
    with pytest.raises(PhotoError) as caught:
        list(videos.opened(path, 1).frames())
    return str(caught.value)


def test_frames_come_at_the_rate_asked_for(tmp_path):
    video = videos.opened(write_video(tmp_path / "a.avi"), 2)
    assert video.frame_rate == FPS
    assert [frame.number for frame in video.frames()] == [0, 5, 10, 15, 20, 25]
    assert [frame.number for frame in video.frames()][:2] == [0, 5]
    assert len(list(videos.opened(tmp_path / "a.avi", 99).frames())) == NUM


def test_pixels_are_rgb(tmp_path):
    first = next(videos.opened(write_video(tmp_path / "a.avi"), 1).frames())
    assert np.asarray(first.image)[130, 30] == pytest.approx([20, 20, 240], abs=25)


def test_what_cannot_be_read_is_a_reason(tmp_path):
    (tmp_path / "no.mp4").write_bytes(b"no video" * 99)
    assert reason(tmp_path / "no.mp4") == "video cannot be decoded"
    assert reason(tmp_path / "gone.mp4") == "photo not found"


def classify(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CAMTRAPS_WORKERS", "1")
    model = write_model(tmp_path / "model")
    with pytest.raises(SystemExit) as ended:
        main(["classify", "films", "--model", str(model), "--out", "out.json", "--frames-per-second", "2"])
    assert ended.value.code == 0, capsys.readouterr().err
    return json.loads(Path("out.json").read_text())["images"]


def test_a_video_is_classified_frame_by_frame(tmp_path, monkeypatch, capsys):
    (tmp_path / "films").mkdir()
    write_video(tmp_path / "films/a.avi")
    (tmp_path / "films/b.mp4").write_bytes(b"no video" * 99)
    good, broken = classify(tmp_path, monkeypatch, capsys)
    assert (good["frame_rate"], good["frames_processed"]) == (10.0, [0, 5, 10, 15, 20, 25])
    assert {each["frame_number"] for each in good["detections"]} <= set(good["frames_processed"])
    surest = max((each for each in good["detections"] if each["frame_number"] == 10), key=lambda each: each["conf"])
    assert surest["bbox"] == pytest.approx([80 / 320, 100 / 240, 60 / 320, 60 / 240], abs=0.05)
    assert surest["classifications"]
    assert broken == {
        "file": "b.mp4",
        "frame_rate": -1.0,
        "frames_processed": [],
        "failure": "video cannot be decoded",
        "detections": None,
    }
    validate = pytest.importorskip("megadetector.postprocessing.validate_batch_results").validate_batch_results
    assert validate(str(tmp_path / "out.json"))["validation_results"]["errors"] == []


def test_without_opencv_a_video_is_a_failure_with_the_remedy(tmp_path, monkeypatch, capsys):
    (tmp_path / "films").mkdir()
    write_video(tmp_path / "films/a.avi")
    monkeypatch.setitem(sys.modules, "cv2", None)
    (video,) = classify(tmp_path, monkeypatch, capsys)
    assert video["failure"] == "video: OpenCV is not installed; pip install 'camtraps[video]'"
