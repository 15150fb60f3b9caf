"""The pages of a run: an overview, the data card, the evaluation, the model card, the review of suspected labels."""

import html
from dataclasses import dataclass

import pandas as pd

from camtraps import data_card, evaluation_page, model_card, review_page
from camtraps.pages import SITE, note, page, sections, tiles
from camtraps.params import check_range
from camtraps.plots import curves
from camtraps.review_page import Reviewed
from camtraps.runs import Run
from camtraps.shards import Reader
from camtraps.storage import Images
from camtraps.taxonomy import Taxonomy

MEGABYTE = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportParams:
    """Section ``report`` of params.yaml."""

    candidates: int
    """Show so many suspected labels on the review page at most."""
    review_mb: int
    """Megabytes that the pictures of the review page may take: crops of all candidates first, then photos."""
    page_mb: int
    """The same of each other page."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range(self, candidates=(0, 50_000), review_mb=(1, 500), page_mb=(1, 100))


@dataclass(frozen=True)
class Sources:
    """Where pictures come from: photos, the shards of crops, the shard of extreme examples; and names of taxa."""

    photos: Images
    crops: Reader
    examples: Reader
    taxonomy: Taxonomy


def compose(run: Run, sources: Sources, params: ReportParams) -> dict[str, str]:
    """Make all pages, by the name of their file."""
    reviewed = Reviewed(
        name=run.name,
        candidates=run.candidates.head(params.candidates),
        neighbours=run.neighbours,
        crops=run.crops,
        detections=run.detections,
        predictions=run.predictions,
        classes=run.classes,
        taxonomy=sources.taxonomy,
    )
    max_bytes = params.page_mb * MEGABYTE
    return {
        "index.html": overview(run),
        "data.html": data_card.compose(run, sources.crops, max_bytes),
        "evaluation.html": evaluation_page.compose(run, sources.crops, sources.examples, max_bytes),
        "model.html": model_card.compose(run),
        "review.html": review_page.compose(reviewed, sources.photos, sources.crops, params.review_mb * MEGABYTE),
    }


ABOUT = {
    "data.html": "Where the photos come from, how labels and locations are shared out, what was left out and why.",
    "evaluation.html": "How good the classifier is, for which species and where; the photos behind every number.",
    "model.html": "What the classifier is, what it may be used for, its limits and thresholds.",
    "review.html": "Labels that are probably wrong, to be decided by a person, in the browser.",
}


def plots(run: Run) -> dict[str, pd.DataFrame]:
    """Make the tables that `dvc plots` draws: of test alone, since it has no way to choose rows."""
    names = ("per_class", "reliability", "reliability_uncalibrated", "accept", "confusion")
    tables = {name: run.evaluation[name].query("split == 'test'").drop(columns="split") for name in names}
    balance = run.assigned.groupby(["label", "split"]).size().rename("crops").reset_index()
    return tables | {"balance": balance}


def overview(run: Run) -> str:
    """Make the first page: what came out, in a sentence and a few figures, and where to read on."""
    test = run.scores["test"]
    figures = [
        (f"{test['top1']:.1%}", f"of test crops named rightly ({test['top1_low']:.1%} to {test['top1_high']:.1%})"),
        (f"{len(run.classes):,}", "labels"),
        (f"{len(run.crops):,}", f"animals in {run.counts['query']['rows_out']:,} photos"),
        (f"{len(run.candidates):,}", "labels that are probably wrong"),
    ]
    cards = [
        f'<a class="tile" href="{file}"><b>{SITE[file]}</b><span>{html.escape(text)}</span></a>'
        for file, text in ABOUT.items()
    ]
    names = ["train_loss", "val_log_loss", "val_macro_recall"]
    parts = [
        ("Learning curves", curves(pd.DataFrame(run.history), names)),
        ("What went through the stages", data_card.counts_table(run.counts)),
    ]
    title = html.escape(f"A species classifier for {run.name}")
    head = f"<h1>{title}</h1>{note(evaluation_page.lead(run.scores), 'lead')}"
    links = f'<div class="tiles">{"".join(cards)}</div>'
    return page(f"camtraps: {run.name}", head + tiles(figures) + links + sections(parts), here="index.html")
