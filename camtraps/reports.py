"""One self-contained HTML page of a run: counts, scores, confusion, learning curve, crops, suspected labels."""

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from camtraps.params import check_range
from camtraps.plots import confusion_matrix, count_pairs, lines
from camtraps.shards import Reader


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportParams:
    """Section ``report`` of params.yaml."""

    candidates: int
    """Show so many suspected labels, and up to a dozen crops of each label, as pictures."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range(self, candidates=(0, 1000))


CROPS_PER_LABEL = 12
EXTREMES = {
    "tp": "right, {row.confidence:.3f}",
    "fp": "wrong, is {row.actual}, {row.confidence:.3f}",
    "fn": "missed, taken for {row.predicted}, {row.confidence:.3f}",
}

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --hue: 210; }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 1100px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; } h3 { font-size: 1rem; margin: 1.2rem 0 .4rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .6rem; text-align: right; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child, .text { text-align: left; }
.wide { overflow-x: auto; }
.grid { display: flex; flex-wrap: wrap; gap: .6rem; }
figure { margin: 0; width: 128px; font-size: .78rem; overflow-wrap: anywhere; }
figure img { width: 128px; height: 128px; object-fit: contain; background: #8882; border-radius: 4px; }
svg { max-width: 100%; height: auto; } .note { opacity: .75; }
"""


def page(title: str, sections: Sequence[tuple[str, str]]) -> str:
    """Put sections (heading, HTML) on one page that needs no other file."""
    body = "".join(f"<h2>{html.escape(heading)}</h2>\n{content}\n" for heading, content in sections)
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n<h1>{html.escape(title)}</h1>\n{body}</html>\n"
    )


def table(rows: pd.DataFrame) -> str:
    """Show a table; all texts are escaped, an empty number is a dash."""
    texts = [rows[column].map(lambda value: isinstance(value, str)).any() for column in rows.columns]
    head = "".join(
        f"<th{' class=text' if text else ''}>{html.escape(str(column))}</th>"
        for column, text in zip(rows.columns, texts, strict=True)
    )
    lines = ["<tr>" + "".join(map(_cell, row)) + "</tr>" for row in rows.to_numpy(object)]
    return f'<div class="wide"><table><tr>{head}</tr>\n' + "\n".join(lines) + "</table></div>"


def score_table(scores: dict[str, dict[str, float]]) -> str:
    """Show the metrics contract: one row a score, one column a split."""
    frame = pd.DataFrame(scores)
    frame.insert(0, "score", frame.index)
    return table(frame)


def counts_table(counts: dict[str, dict[str, Any]]) -> str:
    """Show what went in and out of every stage, and why the rest did not."""
    rows = []
    for stage, count in counts.items():
        reasons = [f"{n:,} {reason}" for kind in count["reasons"].values() for reason, n in _commonest(kind)]
        numbers = [count[name] for name in ("rows_in", "rows_out", "skipped", "failed")]
        rows.append([stage, count["unit"], *numbers, "; ".join(reasons)])
    return table(pd.DataFrame(rows, columns=["stage", "unit", "in", "out", "skipped", "failed", "why"]))


def curve(history: pd.DataFrame, names: Sequence[str]) -> str:
    """Draw learning curves (0 to 1 or more, one value an epoch) as a picture in the page."""
    wide, high, left = 640, 220, 40
    top = max(1.0, float(history[list(names)].max().max()))
    step = (wide - left - 120) / max(1, len(history) - 1)
    parts = [f'<line x1="{left}" y1="{high - 20}" x2="{wide - 120}" y2="{high - 20}" stroke="currentColor"/>']
    for at, name in enumerate(names):
        points = [(left + step * x, high - 20 - (high - 30) * y / top) for x, y in enumerate(history[name])]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        colour = f"hsl({(210 + 130 * at) % 360} 70% 50%)"
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{wide - 112}" y="{30 + 18 * at}" fill="{colour}">{html.escape(name)}</text>')
    parts.append(f'<text x="0" y="14" fill="currentColor">{top:.1f}</text>')
    parts.append(f'<text x="{left}" y="{high - 4}" fill="currentColor">epoch 1 to {len(history)}</text>')
    return f'<svg viewBox="0 0 {wide} {high}" font-size="12">{"".join(parts)}</svg>'


def pictures(crops: pd.DataFrame, captions: Sequence[str], reader: Reader) -> str:
    """Show crops with their captions; the JPEGs are in the page."""
    figures = []
    for row, caption in zip(crops.itertuples(), captions, strict=True):
        data = base64.b64encode(reader.read(row.shard, row.offset, row.length)).decode()
        title = html.escape(f"{row.image} box {row.box}", quote=True)
        figures.append(
            f'<figure><img loading="lazy" alt="" title="{title}" src="data:image/jpeg;base64,{data}">'
            f"<figcaption>{html.escape(caption)}</figcaption></figure>"
        )
    return f'<div class="grid">{"".join(figures)}</div>'


def sample_of_labels(crops: pd.DataFrame) -> pd.DataFrame:
    """Choose crops of each label, spread over its locations."""
    ordered = crops.assign(turn=crops.groupby(["label", "dataset", "location"], dropna=False).cumcount())
    return ordered.sort_values(["label", "turn", "image", "box"]).groupby("label").head(CROPS_PER_LABEL)


@dataclass(frozen=True)
class Run:
    """What the report shows of one run, read from the stages' outputs; ``evaluation`` are the tables of evaluate."""

    name: str
    counts: dict[str, dict[str, Any]]
    scores: dict[str, dict[str, float]]
    classes: list[str]
    history: list[dict[str, float]]
    evaluation: dict[str, pd.DataFrame]
    crops: pd.DataFrame
    candidates: pd.DataFrame


@dataclass(frozen=True)
class Readers:
    """Where the pictures of a page come from: the shards of the crops, and those of the evaluation."""

    crops: Reader
    evaluation: Reader


def compose(run: Run, readers: Readers, num_candidates: int) -> str:
    """Put the page of a run together."""
    first = run.candidates.head(num_candidates)
    suspected = first.merge(run.crops.drop(columns="label"), on=["image", "box"])
    said = [f"{row.rank}. is labelled {row.label}, looks like {row.predicted}" for row in suspected.itertuples()]
    samples = sample_of_labels(run.crops)
    top1 = run.scores["test"]["top1"]
    caution = (
        f'<p class="note">Some are mistakes of the classifier, which is right in {top1:.0%} of the test crops.</p>'
    )
    sections = [
        ("Scores", score_table(run.scores)),
        *evaluation_sections(run, readers.evaluation),
        ("Learning curves", curve(pd.DataFrame(run.history), ["train_loss", "val_log_loss", "val_macro_recall"])),
        ("What went through the stages", counts_table(run.counts)),
        (
            f"Labels that are probably wrong, {len(first)} of {len(run.candidates)}",
            caution + pictures(suspected, said, readers.crops),
        ),
        ("Crops of each label", pictures(samples, samples["label"].tolist(), readers.crops)),
    ]
    return page(f"camtraps: {run.name}", sections)


def evaluation_sections(run: Run, reader: Reader) -> list[tuple[str, str]]:
    """Show how good the classifier is on the test split, and where."""
    of_test = {
        name: rows[rows["split"] == "test"].drop(columns="split")
        for name, rows in run.evaluation.items()
        if "split" in rows.columns
    }
    reliability = {
        "as trained": _points(of_test["reliability_uncalibrated"], "confidence", "accuracy"),
        "calibrated": _points(of_test["reliability"], "confidence", "accuracy"),
    }
    accept = {name: _points(of_test["accept"], "threshold", name) for name in ("accepted", "precision")}
    parts = [table(of_test[name]) for name in ("levels", "per_light", "per_dataset")]
    return [
        ("Photos, sequences, day and night, datasets, test split", "".join(parts)),
        (
            "Confusion, test split",
            f'<div class="wide">{confusion_matrix(count_pairs(of_test["confusion"], run.classes), run.classes)}</div>',
        ),
        ("Classes, test split", table(of_test["per_class"])),
        ("Reliability, test split", lines(reliability, "confidence", diagonal=True)),
        ("If predictions from some confidence on are accepted, test split", lines(accept, "threshold")),
        ("Most confident right and wrong crops of each label, test split", _extremes(run, reader)),
    ]


def _extremes(run: Run, reader: Reader) -> str:
    parts = []
    for label, rows in run.evaluation["examples"].groupby("label"):
        said = [EXTREMES[row.kind].format(row=row) for row in rows.itertuples()]
        parts.append(f"<h3>{html.escape(str(label))}</h3>{pictures(rows, said, reader)}")
    return "".join(parts)


def _points(rows: pd.DataFrame, x: str, y: str) -> list[tuple[float, float]]:
    return list(zip(rows[x], rows[y], strict=True))


def _commonest(reasons: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(reasons.items(), key=lambda item: (-item[1], item[0]))[:5]


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return f'<td class="text">{html.escape(value)}</td>'
    if value is None or pd.isna(value):
        return "<td>–</td>"
    if isinstance(value, int) or (value == int(value) and abs(value) > 1):
        return f"<td>{int(value):,}</td>"
    return f"<td>{value:.3f}</td>"
