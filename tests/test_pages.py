"""Pages: HTML that needs no other file, runs no script but ours, and in which data stays text."""

import html
import json
import re
from html.parser import HTMLParser

import pandas as pd

from camtraps.pages import SITE, facts, figures, page, sections, table, tiles

EVIL = "<img src=x onerror=alert(1)>"
QUOTES = """' onload=alert(2) "onload="alert(3)"><script>alert(4)</script>"""


class Tags(HTMLParser):
    """Collects tags, their attributes, and all text; what is opened must be closed."""

    VOID = ("meta", "img", "link", "input")

    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.text, self.depth = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.depth.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.depth.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def parsed(page):
    tags = Tags()
    tags.feed(page)
    return tags


def cells(html):
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line) for line in html.split("<tr>")[1:]]


def scripts(text):
    """Give the scripts of a page that a browser would run."""
    return re.findall(r"<script>(.*?)</script>", text, re.DOTALL)


def test_numbers_are_readable_and_empty_ones_are_a_dash():
    shown = cells(table(pd.DataFrame({"name": ["NA"], "many": [1234567], "share": [0.12345], "none": [float("nan")]})))
    assert shown == [["name", "many", "share", "none"], ["NA", "1,234,567", "0.123", "–"]]


def test_a_column_of_shares_and_intervals_is_one_of_numbers():
    shown = table(pd.DataFrame({"location": ["007"], "night": ["39%"], "between": ["0.10–0.30"], "none": ["–"]}))
    assert re.findall("<th( class=text)?>(.*?)</th>", shown) == [
        (" class=text", "location"), ("", "night"), ("", "between"), ("", "none"),
    ]  # fmt: skip


def test_a_column_name_may_stand_twice():
    rows = pd.concat([pd.DataFrame({"split": ["test"]}), pd.DataFrame({"split": [3]})], axis=1)
    assert cells(table(rows)) == [["split", "split"], ["test", "3"]]


def test_all_texts_stay_text():
    body = sections([(EVIL, table(pd.DataFrame({EVIL: [QUOTES]})))]) + facts({EVIL: QUOTES}) + tiles([(EVIL, QUOTES)])
    shown = parsed(page(EVIL, body + figures(["QUJD"], [EVIL], [QUOTES])))
    assert not [name for name, _ in shown.attributes if name.startswith("on")]
    assert "".join(shown.text).count(EVIL) >= 6
    assert "".join(shown.text).count("alert(4)") == 3
    assert not shown.depth


def test_a_value_for_scripts_cannot_end_its_element():
    value = {"label": "</script><script>alert(1)</script><!--", "n": [1, None]}
    text = page("a", "", scripts=[], blocks={"data": value})
    (block,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text)
    assert json.loads(block) == value
    assert "<" not in block
    assert scripts(text) == []


def test_the_policy_allows_our_scripts_and_no_network():
    import base64
    import hashlib

    text = page("a", "")
    (policy,) = re.findall('http-equiv="Content-Security-Policy" content="(.*?)"', text)
    (code,) = scripts(text)
    own = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{own}'; "
        "base-uri 'none'; form-action 'none'"
    )
    assert "script-src 'none'" in page("a", "", scripts=[])


def test_pages_of_a_run_are_linked_on_top_and_the_one_at_hand_is_marked():
    text = page("a", "", here="data.html")
    assert re.findall('<a href="(.*?)"', text) == list(SITE)
    assert '<a href="data.html" aria-current=page>Data</a>' in text
    assert "<nav" not in page("a", "")


def test_a_picture_that_is_not_there_is_said_to_be_missing():
    assert figures([None], ["fox"], ["d/a.jpg"]).count("no picture") == 1


def test_the_title_is_escaped():
    assert f"<title>{html.escape(EVIL)}</title>" in page(EVIL, "")
