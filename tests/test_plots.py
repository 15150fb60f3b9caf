"""Plots: counts in the right cells, and few enough marks for many classes."""

import re
import time

import numpy as np
import pandas as pd

from camtraps.plots import confusion_matrix, count_pairs, curves, lines

PAIRS = pd.DataFrame([("a", "a"), ("a", "b"), ("a", "b"), ("b", "b")], columns=["actual", "predicted"])


def test_pairs_are_counted_by_row_of_the_label():
    assert count_pairs(PAIRS, ["a", "b", "c"]).tolist() == [[1, 2, 0], [0, 1, 0], [0, 0, 0]]


def test_no_pairs_are_a_matrix_of_noughts():
    assert count_pairs(PAIRS.iloc[:0], ["a", "b"]).tolist() == [[0, 0], [0, 0]]


def test_a_cell_tells_its_count_and_its_share_of_the_label():
    drawn = confusion_matrix(count_pairs(PAIRS, ["a", "b", "c"]), ["a", "b", "c"])
    assert re.findall("<title>(.*?)</title>", drawn) == [
        "a taken for a: 1 (33.3%)",
        "a taken for b: 2 (66.7%)",
        "b taken for b: 1 (100.0%)",
    ]
    cells = re.findall(r'<rect x="([\d.]+)" y="([\d.]+)"[^>]*><title>a taken for', drawn)
    (left, top), (right, same) = [tuple(map(float, cell)) for cell in cells]
    assert left < right
    assert top == same


def test_names_of_classes_stay_text():
    drawn = confusion_matrix(np.ones((1, 1), np.int64), ["<script>"])
    assert "<script>" not in drawn
    assert drawn.count("&lt;script&gt;") == 4  # both axes, and twice in the title of the cell


def test_many_classes_are_drawn_fast_without_a_text_in_each_cell():
    # R7: 169 classes took 62 s and 28,561 texts.
    classes = [f"species {at}" for at in range(169)]
    start = time.process_time()
    drawn = confusion_matrix(np.ones((169, 169), np.int64), classes)
    assert time.process_time() - start < 3
    assert drawn.count("<text") == 2 * 169


def test_only_cells_with_crops_are_drawn():
    assert confusion_matrix(np.eye(30, dtype=np.int64), [str(at) for at in range(30)]).count("<title>") == 30


def test_lines_leave_out_what_is_not_known_and_draw_higher_values_higher():
    drawn = lines({"precision": [(0.0, 0.5), (0.5, 1.0), (1.0, float("nan"))]}, "threshold")
    points = [tuple(map(float, each.split(","))) for each in re.findall(r'points="([^"]*)"', drawn)[-1].split()]
    assert len(points) == 2
    assert points[0][1] > points[1][1]
    assert "threshold, 0 to 1" in drawn


def test_a_curve_of_one_epoch_is_drawn():
    drawn = curves(pd.DataFrame({"train_loss": [2.0], "val_top1": [0.5]}), ["train_loss", "val_top1"])
    assert drawn.count("<polyline") == 2
    assert "epoch 1 to 1" in drawn


def test_a_higher_value_is_drawn_higher():
    (points,) = re.findall(r'points="([^"]*)"', curves(pd.DataFrame({"recall": [0.0, 1.0]}), ["recall"]))
    (left, low), (right, high) = (map(float, point.split(",")) for point in points.split())
    assert left < right
    assert high < low  # y grows downwards
