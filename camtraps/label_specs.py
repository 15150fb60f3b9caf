"""The file of a label specification: read and written as JSON or as CSV, by its suffix."""

import json
from pathlib import Path

from camtraps import label_csv, label_json
from camtraps.errors import InputError, MissingError
from camtraps.files import write_text
from camtraps.label_rules import Rules

NAMES = ("label_spec.json", "label_spec.csv")
REMEDY = "write one, or bring it in with `camtraps import ... --label-spec`"


def find(collection: Path) -> Path:
    """Give the specification of a collection, ``label_spec.json`` or ``label_spec.csv``.

    Raises:
        MissingError: there is none.
        InputError: there are both.
    """
    there = [collection / name for name in NAMES if (collection / name).exists()]
    if not there:
        raise MissingError(f"{collection / NAMES[0]}: not found, nor {NAMES[1]}; {REMEDY}")
    if len(there) > 1:
        raise InputError(f"{collection}: has both {' and '.join(NAMES)}; remove one")
    return there[0]


def read(path: Path) -> Rules:
    """Read a specification.

    Raises:
        MissingError: no such file.
        InputError: neither .json nor .csv, malformed, or not a specification; all its problems are in the message,
            with their keys or lines.
    """
    return label_csv.read(path, REMEDY) if _is_csv(path) else label_json.read(path, REMEDY)


def write(rules: Rules, path: Path) -> None:
    """Write a specification; `read` gives the same rules again.

    Raises:
        InputError: neither .json nor .csv, or a rule cannot be written as CSV.
    """
    write_text(path, label_csv.text(rules, path) if _is_csv(path) else text(rules))


def text(rules: Rules) -> str:
    """Give a specification as the text of a JSON file."""
    return json.dumps(label_json.document(rules), indent=1, ensure_ascii=False) + "\n"


def _is_csv(path: Path) -> bool:
    suffix = path.suffix.lower()
    if suffix not in (".json", ".csv"):
        raise InputError(f"{path}: a label specification ends in .json or .csv")
    return suffix == ".csv"
