"""Pages: HTML that needs no other file and no network, in which data stays text."""

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

SHARE = re.compile(r"\d+(\.\d+)?%|[\d.]+–[\d.]+|–")  # cells that are numbers all the same
WEB = Path(__file__).parent / "web"
# The pages of a run, by the name of their file.
SITE = {
    "index.html": "Overview",
    "data.html": "Data",
    "evaluation.html": "Evaluation",
    "model.html": "Model",
    "review.html": "Review",
}


def asset(name: str) -> str:
    """Read a style sheet, a script or a piece of HTML that lies beside the code, in ``web``."""
    return (WEB / name).read_text(encoding="utf-8")


def page(
    title: str,
    body: str,
    *,
    here: str = "",
    styles: Sequence[str] = (),
    scripts: Sequence[str] = ("tables.js",),
    blocks: Mapping[str, Any] | None = None,
) -> str:
    """Make a page. The browser runs no script in it but ours, and fetches nothing.

    Args:
        title: what stands in the title bar and on top.
        body: HTML.
        here: the name of its file if it is one of `SITE`, all of which are then linked on top.
        styles: style sheets of ``web`` beside that of all pages.
        scripts: scripts of ``web``.
        blocks: values for the scripts, as JSON by the id of their element.
    """
    codes = [asset(name) for name in scripts]
    allowed = " ".join(f"'sha256-{_hash(code)}'" for code in codes) or "'none'"
    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {allowed}; "
        "base-uri 'none'; form-action 'none'"
    )
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        # Else the browser asks for /favicon.ico.
        '<link rel="icon" href="data:,">',
        f"<title>{html.escape(title)}</title>",
        f"<style>\n{''.join(asset(name) for name in ('page.css', *styles))}</style>\n</head>\n<body>",
        _top(title, here),
        body,
        *(
            f'<script type="application/json" id="{name}">{_json(value)}</script>'
            for name, value in (blocks or {}).items()
        ),
        *(f"<script>{code}</script>" for code in codes),
        "</body>\n</html>\n",
    ]
    return "\n".join(parts)


def sections(given: Sequence[tuple[str, str]]) -> str:
    """Put a heading above each piece of HTML."""
    return "".join(f"<h2>{html.escape(heading)}</h2>\n{content}\n" for heading, content in given)


def note(text: str, kind: str = "note") -> str:
    """Make a paragraph of text."""
    return f'<p class="{kind}">{html.escape(text)}</p>'


def facts(given: Mapping[str, Any]) -> str:
    """List names and what is known of them; what is empty is left out."""
    rows = [f"<dt>{html.escape(name)}</dt><dd>{html.escape(str(value))}</dd>" for name, value in given.items() if value]
    return f"<dl>{''.join(rows)}</dl>"


def tiles(given: Sequence[tuple[str, str]]) -> str:
    """Show a few figures large, each with what it is."""
    shown = [
        f'<div class="tile"><b>{html.escape(big)}</b><span>{html.escape(what)}</span></div>' for big, what in given
    ]
    return f'<div class="tiles">{"".join(shown)}</div>'


def table(rows: pd.DataFrame, frame: str = "wide") -> str:
    """Show a table that sorts by a click on a heading; all texts are escaped, an empty number is a dash.

    Args:
        rows: its rows and columns.
        frame: ``wide``, or ``tall`` for a table of many rows, which then scroll.
    """
    texts = [any(map(_is_text, rows.iloc[:, at])) for at in range(rows.shape[1])]
    head = "".join(
        f"<th{' class=text' if text else ''}>{html.escape(str(column))}</th>"
        for column, text in zip(rows.columns, texts, strict=True)
    )
    lines = ["<tr>" + "".join(map(_cell, row)) + "</tr>" for row in rows.to_numpy(object)]
    return f'<div class="{frame}"><table class="sorts"><tr>{head}</tr>\n' + "\n".join(lines) + "</table></div>"


def figures(pictures: Sequence[str | None], captions: Sequence[str], titles: Sequence[str]) -> str:
    """Show JPEGs, given as base64, with their captions, and titles for who points at them."""
    shown = []
    for data, caption, title in zip(pictures, captions, titles, strict=True):
        picture = '<div class="nopicture">no picture here</div>'
        if data is not None:
            source = f"data:image/jpeg;base64,{data}"
            picture = f'<img loading="lazy" alt="" title="{html.escape(title, quote=True)}" src="{source}">'
        shown.append(f"<figure>{picture}<figcaption>{html.escape(caption)}</figcaption></figure>")
    return f'<div class="grid">{"".join(shown)}</div>'


def _top(title: str, here: str) -> str:
    if not here:
        return f"<h1>{html.escape(title)}</h1>"
    links = [
        f'<a href="{file}"{" aria-current=page" if file == here else ""}>{name}</a>' for file, name in SITE.items()
    ]
    return f'<header class="top"><b>{html.escape(title)}</b><nav aria-label="Pages">{"".join(links)}</nav></header>'


def _hash(code: str) -> str:
    return base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()


def _json(value: Any) -> str:
    # A "<" in a text could end the element or open a comment.
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not SHARE.fullmatch(value)


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return f"<td{' class=text' if _is_text(value) else ''}>{html.escape(value)}</td>"
    if value is None or pd.isna(value):
        return "<td>–</td>"
    if isinstance(value, int) or (value == int(value) and abs(value) > 1):
        return f"<td>{int(value):,}</td>"
    return f"<td>{value:.3f}</td>"
