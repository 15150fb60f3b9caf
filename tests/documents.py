"""The README and docs/: their blocks of commands, with what each needs that a test has not, their code, their links."""

import re
import shlex
from dataclasses import dataclass

from imports import ROOT

PATHS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in PATHS}
BLOCK = re.compile(
    r"(?:^ *<!-- needs: (?P<needs>[^>]*) -->\n)?^ *```(?:bash|sh)\n(?P<text>.*?)^ *```$", re.DOTALL | re.M
)
FENCED = re.compile(r"^ *```.*?^ *```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """Commands as a reader would copy them; ``needs`` says what they need that a test has not, empty for nothing."""

    place: str
    needs: str
    text: str

    @property
    def commands(self) -> list[list[str]]:
        """Give the words of each command."""
        lines = self.text.replace("\\\n", " ").splitlines()
        split = [shlex.split(part, comments=True) for line in lines for part in line.split(" && ")]
        return [words for words in split if words]


def blocks() -> list[Block]:
    """Give the command blocks of all documents."""
    found = []
    for name, text in TEXTS.items():
        for match in BLOCK.finditer(text):
            line = text.count("\n", 0, match.start("text"))
            found.append(Block(f"{name}:{line}", match["needs"] or "", match["text"]))
    return found


def inline() -> list[tuple[str, str]]:
    """Give the code within sentences and tables, each with its document."""
    plain = {name: FENCED.sub("", text) for name, text in TEXTS.items()}
    return [(name, code) for name, text in plain.items() for code in re.findall(r"`([^`\n]+)`", text)]


def links() -> list[tuple[str, str]]:
    """Give the targets of links to other files of the repository, each with its document."""
    found = [(name, to) for name, text in TEXTS.items() for to in re.findall(r"\]\(([^)]+)\)", text)]
    return [(name, to) for name, to in found if "://" not in to]


def anchors(text: str) -> set[str]:
    """Give the anchors that GitHub makes of the headings."""
    heads = re.findall(r"^#+ (.*)$", FENCED.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
