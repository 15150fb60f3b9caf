"""Photos as they lie in folders: names from the path, times and sizes from EXIF, labels from the path or from XMP."""

import difflib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from camtraps.errors import InputError, MissingError
from camtraps.formats import photo_headers, xmp
from camtraps.formats.photo_headers import Header
from camtraps.formats.rows import Annotation, Fault, Given, Photo, Problem, escaped, text

PLACEHOLDERS = ("dataset", "location", "sequence", "label", "file")
SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".avif")


def read(
    root: Path, pattern: str, labels: Literal["path", "xmp"] = "path", xmp_prefix: str | None = None
) -> Iterator[Given]:
    """Read the photos in a folder and in the folders below it.

    Args:
        root: the folder; ``file`` of a photo is its path below it.
        pattern: what the parts of that path are, such as ``{location}/*/{label}/{file}``. A part is a placeholder
            (`PLACEHOLDERS`, each once at most, ``{file}`` last), ``*`` or ``{}`` for any folder, ``**`` for any number
            of them, once at most, or the name of a folder. Sequences of the same name at two locations are two.
        labels: from the ``{label}`` of the path; or from the hierarchical tags of Lightroom or digiKam in the photo,
            or rather in ``IMG.jpg.xmp`` or ``IMG.xmp`` beside it if that has any. The class is the last part of a tag;
            a tag that stands above another one of the photo (``Mammal`` above ``Mammal|Fox``) is passed over.
        xmp_prefix: take only tags below this one, such as ``Species`` for ``Species|Mammal|Fox``.

    Yields:
        Photos sorted by file, each before its annotations. ``taken`` is EXIF's time of the shot, else of the scan, else
        of the last change; width and height are those of the photo upright. A photo that cannot be opened is corrupt.
        Problems name the photos that do not match (dropped) and other files (skipped). A link is followed only to what
        lies in ``root`` and not above the link. A fault if no photo matches, or none has a tag that was asked for.

    Raises:
        MissingError: no such folder.
        InputError: the pattern cannot be used, an option contradicts it or has no effect, or there is no photo.
    """
    path_pattern = _compiled(pattern)
    _check_options(pattern, labels, xmp_prefix)
    found = _scan(root)
    if not found.photos:
        raise InputError(f"{root}: no photo in it; looked for {' '.join(SUFFIXES)}")
    sidecars = _sidecars(found) if labels == "xmp" else None
    used = {sidecar for beside in (sidecars or {}).values() for sidecar in beside}
    yield from found.problems
    yield from (Problem(escaped(file), "skipped", "not a photo") for file in found.others if file not in used)
    parts = {file: match.groupdict() for file in found.photos if (match := path_pattern.fullmatch(file))}
    reason = f"path does not match the pattern {pattern}"
    yield from (Problem(escaped(file), "dropped", reason) for file in found.photos if file not in parts)
    if not parts:
        first = f"the first is {escaped(found.photos[0])!r}"
        yield Fault(f"none of {len(found.photos):,} photos matches the pattern {pattern}; {first}")
    headers = photo_headers.read(root, list(parts), sidecars)
    if labels == "xmp":
        yield from _tagged(headers, parts, xmp_prefix)
        return
    for file, header in headers:
        name = text(parts[file].get("label"))
        yield from _given(file, parts[file], header, [name] if name else [])


def _tagged(
    headers: Iterator[tuple[str, Header]], parts: Mapping[str, dict[str, str]], prefix: str | None
) -> Iterator[Given]:
    num_tagged, others = 0, set()
    for file, header in headers:
        classes = xmp.classes(header.tags, prefix)
        num_tagged += bool(classes)
        others |= {tag[0] for tag in header.tags}
        yield from _given(file, parts[file], header, classes)
    if parts and not num_tagged:
        below = f" below {prefix!r}" if prefix else ""
        more = f"; their first parts are {', '.join(sorted(others)[:8])}" if others else ""
        yield Fault(f"none of {len(parts):,} photos has a hierarchical XMP tag{below}{more}")


def _given(file: str, parts: dict[str, str], header: Header, classes: Sequence[str]) -> Iterator[Given]:
    place = escaped(file)
    location, sequence = text(parts.get("location")), text(parts.get("sequence"))
    width, height = map(str, header.size_px) if header.size_px else (None, None)
    yield Photo(
        place=place,
        key=file,
        file=file,
        location=location,
        sequence=f"{location}/{sequence}" if location and sequence else sequence,
        taken=header.taken,
        width=width,
        height=height,
        corrupt=header.size_px is None,
        dataset=parts.get("dataset"),
    )
    yield from (Problem(place, "mended", reason, found) for reason, found in header.problems)
    yield from (Annotation(place, file, name) for name in classes)


def _compiled(pattern: str) -> re.Pattern[str]:
    parts = pattern.split("/")
    names = [part[1:-1] for part in parts if _is_placeholder(part)]
    problems = [problem for part in parts if (problem := _part_problem(part))]
    problems += [f"{{{name}}} stands twice" for name in PLACEHOLDERS if names.count(name) > 1]
    problems += ["** stands twice"] if parts.count("**") > 1 else []
    problems += ["its last part is not {file}"] if parts[-1] != "{file}" else []
    if problems:
        raise InputError(f"pattern {pattern!r}: {'; '.join(problems)}; write it like {{location}}/{{label}}/{{file}}")
    return re.compile("".join(map(_part_regex, parts[:-1])) + "(?P<file>[^/]+)")


def _is_placeholder(part: str) -> bool:
    return re.fullmatch(r"\{[^{}]*\}", part) is not None


def _part_problem(part: str) -> str | None:
    if _is_placeholder(part):
        name = part[1:-1]
        if not name or name in PLACEHOLDERS:
            return None
        near = difflib.get_close_matches(name, PLACEHOLDERS, n=1)
        return f"{part} is unknown, {f'did you mean {{{near[0]}}}?' if near else f'known are {_all_placeholders()}'}"
    if part in ("", ".", "..") or (part not in ("*", "**") and re.search(r"[{}*\\]", part)):
        return f"part {part!r} is not one placeholder, *, ** or the name of a folder"
    return None


def _all_placeholders() -> str:
    return " ".join(f"{{{name}}}" for name in PLACEHOLDERS)


def _part_regex(part: str) -> str:
    if part == "**":
        return "(?:[^/]+/)*"
    if part in ("*", "{}"):
        return "[^/]+/"
    return f"(?P<{part[1:-1]}>[^/]+)/" if _is_placeholder(part) else f"{re.escape(part)}/"


def _check_options(pattern: str, labels: str, prefix: str | None) -> None:
    if labels == "xmp" and "{label}" in pattern:
        raise InputError(f"pattern {pattern!r}: has {{label}}, but the labels are taken from XMP; write * for it")
    if labels == "path" and prefix is not None:
        raise InputError(
            f"XMP prefix {prefix!r}: has no effect, since the labels are taken from the path; leave it out"
        )


@dataclass
class _Found:
    """The files of a folder, relative to it, in order."""

    photos: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def _scan(root: Path) -> _Found:
    if not root.exists():
        raise MissingError(f"{root}: image folder not found")
    if not root.is_dir():
        raise InputError(f"{root}: is a file; expected the folder that the photos are in")
    found = _Found()
    real = root.resolve()
    # With each folder the real paths of those that lead to it, so that links cannot lead in a circle.
    waiting: list[tuple[str, tuple[Path, ...]]] = [("", (real,))]
    while waiting:
        prefix, above = waiting.pop()
        for entry in _entries(root, prefix, found.problems):
            file = prefix + entry.name
            target = _target(entry, above)
            if problem := _entry_problem(entry, file, target):
                found.problems.append(problem)
            elif entry.is_dir():
                assert target
                waiting.append((f"{file}/", (*above, target)))
            else:
                (found.photos if entry.is_file() and _is_photo(file) else found.others).append(file)
    for files in (found.photos, found.others, found.problems):
        files.sort()
    return found


def _entries(root: Path, prefix: str, problems: list[Problem]) -> "list[os.DirEntry[str]]":
    try:
        with os.scandir(root / prefix) as entries:
            return list(entries)
    except OSError as error:
        problems.append(Problem(escaped(prefix), "dropped", "folder cannot be read", error.strerror or str(error)))
        return []


def _target(entry: "os.DirEntry[str]", above: tuple[Path, ...]) -> Path | None:
    """Give where an entry really is; None for a link that leads out of the folder, in a circle or to nothing."""
    if not entry.is_symlink():
        return above[-1] / entry.name
    try:
        target = Path(entry.path).resolve(strict=True)
    except (OSError, RuntimeError):  # gone; links that lead to each other
        return None
    circle = any(folder.is_relative_to(target) for folder in above)
    return target if target.is_relative_to(above[0]) and not circle else None


def _entry_problem(entry: "os.DirEntry[str]", file: str, target: Path | None) -> Problem | None:
    # Above all the shadows that macOS leaves of each photo, `._IMG_1.JPG`.
    if entry.name.startswith("."):
        return Problem(escaped(file), "skipped", "hidden")
    if target is None:
        kind = "dropped" if _is_photo(file) else "skipped"
        return Problem(escaped(file), kind, "link leads out of the folder, in a circle or to nothing")
    return None


def _is_photo(file: str) -> bool:
    return file.lower().endswith(SUFFIXES)


def _sidecars(found: _Found) -> dict[str, list[str]]:
    """Give the XMP files beside each photo, the one with its whole name first."""
    there = set(found.others)
    bases = {file: (file, file[: file.rindex(".")]) for file in found.photos}
    return {
        file: [name for base in both for suffix in (".xmp", ".XMP") if (name := base + suffix) in there]
        for file, both in bases.items()
    }
