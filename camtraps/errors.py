"""The errors that a user can cause. Everything else that is raised is our own bug and may show a traceback.

CamtrapsError
├── InputError      a value or file that we were given cannot be used as it is
│   ├── ParamsError     params.yaml
│   └── TableError      a table that crosses a stage
├── MissingError    a file or folder that should be there is not
└── FailuresError   more inputs failed than the stage's max_failed allows

A message is one line: the file, the place in it, the value found, what to do.
"""

from pathlib import Path

MAX_SHOWN = 20


class CamtrapsError(Exception):
    """Base of all errors that end in one line on stderr and exit code 1."""


class InputError(CamtrapsError, ValueError):
    """A given file or value cannot be used."""


class ParamsError(InputError):
    """A key of params.yaml is missing, unknown, of the wrong type or out of range."""


class TableError(InputError):
    """A table does not have the columns, types or keys that its schema declares."""


class MissingError(CamtrapsError, FileNotFoundError):
    """A file or folder that a command needs does not exist."""


class FailuresError(CamtrapsError, RuntimeError):
    """The share of failed inputs is above the stage's ``max_failed``."""


class ShareDone(Exception):
    """No error: this process has made its share of the work, and another one goes on with the results."""


def raise_all(path: Path, problems: list[str]) -> None:
    """Raise one InputError that lists the problems of a file, if there are any."""
    if problems:
        more = f"; and {len(problems) - MAX_SHOWN} more" if len(problems) > MAX_SHOWN else ""
        raise InputError(f"{path}: " + "; ".join(problems[:MAX_SHOWN]) + more)
