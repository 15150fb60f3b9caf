"""Files and folders: written aside and renamed, read with clear errors, hashed."""

import csv
import errno
import hashlib
import importlib.util
import io
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from camtraps.errors import CamtrapsError, InputError, MissingError, raise_all

FULL = (errno.ENOSPC, errno.EDQUOT)  # what a full disk says


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path beside ``path`` to write a file or folder to; rename it to ``path`` when all went well.

    What stood at ``path`` is replaced whole; after an error nothing is changed and nothing is left behind.

    Raises:
        CamtrapsError: the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The number is a thread's, of which no other process has one either; what stands beside it has room in 255 bytes.
    aside = f".{os.fsencode(path.name)[:200].decode(errors='ignore')}.{threading.get_native_id()}"
    part = path.parent / f"{aside}.part"
    remove(part)  # of a killed process that had the same number, as is usual in containers
    try:
        yield part
        if path.is_dir() and part.is_dir():
            # A folder cannot be renamed onto another: step the old one aside first.
            old = path.parent / f"{aside}.old"
            remove(old)  # of a run that was killed just here
            path.rename(old)
            part.rename(path)
            shutil.rmtree(old)
        else:
            part.replace(path)
    except Exception as error:
        if not _tells_full(error):
            raise
        raise CamtrapsError(f"{path}: cannot be written: the disk is full; make room and run again") from None
    finally:
        remove(part)


def _tells_full(error: Exception) -> bool:
    if isinstance(error, OSError):
        return error.errno in FULL
    # DuckDB's error has the disk's words only. It is told by its name, to import DuckDB for that would take long.
    return type(error).__name__ == "IOException" and any(os.strerror(number) in str(error) for number in FULL)


def remove(path: Path) -> None:
    """Remove a file, link or folder if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text with line feeds, whole or not at all."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: Any) -> None:
    """Write JSON with an indent of 1 and a final line end; NaN is refused, since JSON has none."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_text(path: Path, remedy: str) -> str:
    """Read UTF-8 text; a byte order mark is passed over.

    Args:
        path: the file.
        remedy: what to do where it is not there, for the message.

    Raises:
        MissingError: no such file.
        InputError: a folder, not permitted or not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise MissingError(f"{path}: not found; {remedy}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read as a file: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8") from None


Pairs = list[tuple[str, Any]]


def read_json(
    path: Path, remedy: str = "check the path", make_object: Callable[[Pairs], dict[str, Any]] | None = None
) -> Any:
    """Read a JSON file; a byte order mark is passed over and a bare NaN becomes None.

    Args:
        path: the file.
        remedy: what to do where it is not there, for the message.
        make_object: makes each object of its pairs, and may raise ValueError; `once_each` refuses a key that stands
            twice, of which plain JSON keeps the last in silence.

    Raises:
        MissingError: no such file.
        InputError: not UTF-8, or not JSON; the message gives line and column.
    """
    text = read_text(path, remedy)
    try:
        return json.loads(text, parse_constant=lambda name: None, object_pairs_hook=make_object)
    except json.JSONDecodeError as error:
        near = text[max(0, error.pos - 15) : error.pos + 15].replace("\n", " ")
        raise InputError(
            f"{path}:{error.lineno}:{error.colno}: not valid JSON: {error.msg.lower()}, near {near!r}"
        ) from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not usable JSON: {error}") from None


def once_each(pairs: Pairs) -> dict[str, Any]:
    """Make a JSON object for `read_json` whose keys stand once.

    Raises:
        ValueError: a key stands twice.
    """
    value = dict(pairs)
    if len(value) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"key {next(key for key in keys if keys.count(key) > 1)!r} stands twice")
    return value


def read_csv(path: Path, columns: Sequence[str], remedy: str) -> list[tuple[int, dict[str, str]]]:
    """Read a CSV file with a header; every cell is text.

    Args:
        path: the file, UTF-8.
        columns: those that every row must have; others may be there.
        remedy: what to do where the file is not there, for the message.

    Returns:
        The rows with the number of the line where each ends.

    Raises:
        MissingError: no such file.
        InputError: not UTF-8, not CSV, a column is missing, or a row is shorter than ``columns`` or longer than the
            header; all such rows are in the message, with their lines.
    """
    # Strict, because a quote that is never closed would else swallow all rows below it in silence.
    reader = csv.DictReader(io.StringIO(read_text(path, remedy), newline=""), strict=True)
    try:
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num + 1}: not valid CSV: {error}; is a quote not closed?") from None
    header = reader.fieldnames or []
    missing = [name for name in columns if name not in header]
    if missing:
        raise InputError(f"{path}:1: column {', '.join(missing)} is missing; it has {', '.join(header) or 'nothing'}")
    problems = []
    for line, row in rows:
        if any(row.pop(None, [])):  # what stands beyond the header
            problems.append(f"line {line}: more cells than the header's {len(header)}; quote a cell that has a comma")
        elif any(row[name] is None for name in columns):
            problems.append(
                f"line {line}: expected {', '.join(columns)}, got only {', '.join(filter(None, row.values()))}"
            )
    raise_all(path, problems)
    return rows


def climbs(file: str) -> bool:
    r"""Say whether a relative file name could lead out of the folder it is meant to be in.

    True for ``../x``, ``a/../../x``, ``/x``, ``C:\x``, an empty name and names with a NUL.
    """
    parts = file.replace("\\", "/").split("/")  # a PurePath would take five times as long, for millions of names
    drive = file[1:2] == ":"
    return "\0" in file or drive or not parts[0] or ".." in parts or all(part in ("", ".") for part in parts)


def link_or_copy(source: Path, target: Path) -> None:
    """Make ``target`` the same file as ``source`` by a hard link, or a copy where links cannot be made.

    What stood at ``target`` is replaced, never written into: it may be a link to something that must stay.
    """
    with replacing(target) as part:
        try:
            os.link(source, part)
        except OSError:
            shutil.copyfile(source, part)


def digest(*parts: str | bytes) -> str:
    """Hash texts and bytes, in order and with their bounds, to 64 hexadecimal digits (SHA-256)."""
    state = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "big"))
        state.update(data)
    return state.hexdigest()


def file_digest(path: Path) -> str:
    """Hash a file of any size, as SHA-256 of its bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def code_digest(modules: Iterable[str]) -> str:
    """Hash the source text of modules, named as in ``import``; for fingerprints of results that code has made."""
    sources = []
    for name in sorted(modules):
        spec = importlib.util.find_spec(name)
        assert spec, name
        assert spec.origin, name
        sources.append(Path(spec.origin).read_bytes())
    return digest(*sources)


def work_dir(name: str) -> Path:
    """Give the folder for what must survive a killed run: ``$CAMTRAPS_WORK/name``, else the user's cache folder.

    It lies outside DVC's outputs (DVC deletes them before a stage runs) and outside the clone (``dvc exp run --temp``
    works in another one); whatever is kept in it is named by the hash of what it was made from.
    """
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get("CAMTRAPS_WORK") or Path(cache) / "camtraps") / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder
