"""What README and docs say is there: commands, options, parameters, stages, files, messages, links.

Blocks without a mark ``<!-- needs: ... -->`` are run by `test_pipeline`, in a clone with a finished run.
"""

import argparse
import importlib.util
import itertools
import re
import subprocess

import documents
import pytest
import yaml
from imports import ROOT

BLOCKS = documents.blocks()
NEEDS = {
    *("your photos", "your files", "a remote", "network", "a GPU", "several machines", "minutes", "an experiment"),
    *("packages", "a shared disk", "somebody to ask", "a server that waits", "MegaDetector"),
}
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())
# Folders of the repository in which what documents name must be, or be made.
ROOTS = (
    "data/",
    "models/",
    "metrics/",
    "reports/",
    "camtraps/",
    "stages/",
    "notebooks/",
    "docs/",
    "tests/",
    "benchmarks/",
)
OWN = r"(mine|old|animl|serengeti|lila|ours|phase1|megaclassifier|team|prod|[a-z_/-]*(NAME|DATASET|VERSION|<name>).*)"


def parser_of(words: list[str]) -> argparse.ArgumentParser | None:
    """Give the parser of a command of camtraps, or None where a word of it is no command."""
    from camtraps.cli import parser

    found = parser()
    for word in words:
        subs = [action for action in found._actions if isinstance(action, argparse._SubParsersAction)]
        if not subs:
            return found
        if word not in subs[0].choices:
            return None
        found = subs[0].choices[word]
    return found


@pytest.fixture(scope="module")
def parse():
    """Give the parsers of camtraps and DVC by the name of the command."""
    from dvc.cli.parser import get_main_parser

    from camtraps.cli import parser

    return {"camtraps": parser().parse_args, "dvc": get_main_parser().parse_args}


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.place)
def test_a_block_of_commands_is_understood(block, parse):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for words in block.commands:
        if words[0] in parse:
            parse[words[0]](words[1:])
        elif words[0] == "make":
            assert words[1].split("=")[0] in {*targets, "PYTHON"}
        elif words[:2] == ["python", "-m"]:
            assert importlib.util.find_spec(words[2])


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.place)
def test_what_dvc_is_told_to_run_and_to_change_exists(block):
    for words in (words for words in block.commands if words[0] == "dvc"):
        for flag, value in itertools.pairwise(words):
            if flag == "-S":
                section, key = value.split("=")[0].split(".")
                assert key in PARAMS[section]
        if words[1] in ("repro", "commit"):
            named = {word for word in words[2:] if not word.startswith("-")}
            assert named <= set(PIPELINE["stages"])


def test_what_a_block_needs_is_one_of_few_things():
    assert {need.strip() for block in BLOCKS for need in block.needs.split(",") if need} <= NEEDS


def test_some_blocks_need_nothing_and_are_run():
    assert sum(not block.needs for block in BLOCKS) >= 10


def test_commands_within_sentences_exist_with_their_options():
    wrong = []
    for name, code in documents.inline():
        if not re.match(r"camtraps [a-z]", code) or "..." in code or "FORMAT" in code:
            continue
        words = [word for word in re.split(r"\s+", code)[1:] if re.match(r"[a-z-]", word)]
        found = parser_of([word for word in words if not word.startswith("-")])
        options = [word for word in words if word.startswith("-")]
        if found is None or not set(options) <= set(found._option_string_actions):
            wrong.append((name, code))
    assert not wrong


def test_parameters_within_sentences_exist():
    named = [(name, re.match(rf"({'|'.join(PARAMS)})\.([a-z_0-9]+)", code)) for name, code in documents.inline()]
    keys = {(name, found[1], found[2]) for name, found in named if found and found[2] not in ENDINGS}
    assert keys
    assert not {(name, *key) for name, *key in keys if key[1] not in PARAMS[key[0]]}


def test_files_that_documents_name_are_here_or_are_made():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    made = [
        out if isinstance(out, str) else next(iter(out)) for each in PIPELINE["stages"].values() for out in each["outs"]
    ]
    made += yaml.safe_load((ROOT / "data/demo/dvc.yaml").read_text())["stages"]["demo"]["outs"]
    missing = []
    codes = documents.inline() + [(block.place, word) for block in BLOCKS for words in block.commands for word in words]
    for name, code in codes:
        path = re.sub(r"[*{].*$", "", code.split(" ")[0]).rstrip("/")
        if not code.startswith(ROOTS) or re.match(rf"(data|models)/{OWN}", path):
            continue
        is_here = any(file.startswith(path) for file in listed)
        if not is_here and not any(path.startswith(out) or out.startswith(path) for out in made):
            missing.append((name, code))
    assert not missing


def test_links_lead_to_files_and_headings_that_exist():
    broken = []
    for name, to in documents.links():
        file, _, heading = to.partition("#")
        path = ((ROOT / name).parent / file).resolve() if file else ROOT / name
        if not path.exists() or (heading and heading not in documents.anchors(path.read_text(encoding="utf-8"))):
            broken.append((name, to))
    assert not broken


def test_the_readme_links_to_every_document():
    linked = {to for name, to in documents.links() if name == "README.md"}
    assert not {name for name in documents.TEXTS if name != "README.md"} - linked


def test_our_messages_in_troubleshooting_are_those_of_the_code():
    source = " ".join(path.read_text(encoding="utf-8") for path in [*ROOT.glob("camtraps/**/*.py"), ROOT / "Makefile"])
    flat = re.sub(r'"\s*\n\s*f?"', "", source)
    ours = documents.TEXTS["docs/troubleshooting.md"].split("## Sharing")[0]
    rows = [row.split("|")[1] for row in ours.splitlines() if row.startswith("| `") and "(DVC)" not in row]
    messages = [code for row in rows for code in re.findall(r"`([^`]+)`", row)]
    for message in messages:
        fragments = re.split(r"\.\.\.|: |\S*/\S*|\b[A-Z_]+\b=?|'\w+'|\d+(?:\.\d+)?%?", message)
        longest = max(fragments, key=len).strip(" :;,'")
        assert longest in flat or longest in FOREIGN, message


ENDINGS = ("csv", "html", "json", "parquet", "py", "yaml")
# What Python, bash and torch say.
FOREIGN = ("command not found", "No module named", "out of memory")
