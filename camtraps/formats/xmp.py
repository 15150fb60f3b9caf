"""XMP: the hierarchical tags of a photo, as Lightroom and digiKam write them, and the classes that they name."""

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

LARGEST_XMP = 16 << 20  # bytes; real packets have some thousands
LIGHTROOM = "{http://ns.adobe.com/lightroom/1.0/}hierarchicalSubject"
DIGIKAM = "{http://www.digikam.org/ns/1.0/}TagsList"
ITEM = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}li"

Tag = tuple[str, ...]  # from the top down


def read(packet: Path | bytes | str) -> list[Tag]:
    """Read the tags of a packet or of the file of one, each once; those of Lightroom, else those of digiKam.

    Raises:
        OSError: the file cannot be read.
        SyntaxError: not XML.
        ValueError: not UTF-8, far too long, or with entities, which no XMP has and which can fill the memory.
    """
    if isinstance(packet, Path):
        with packet.open("rb") as file:
            packet = file.read(LARGEST_XMP + 1)
    if len(packet) > LARGEST_XMP:
        raise ValueError("too long")
    xml = (packet if isinstance(packet, str) else packet.decode("utf-8-sig")).strip("\0 \r\n\t")
    if "<!DOCTYPE" in xml or "<!ENTITY" in xml:
        raise ValueError("it declares entities")
    tree = ElementTree.fromstring(xml)
    for name, separator in ((LIGHTROOM, "|"), (DIGIKAM, "/")):
        items = [item.text or "" for element in tree.iter(name) for item in element.iter(ITEM)]
        tags = [tuple(part.strip() for part in item.split(separator) if part.strip()) for item in items]
        if any(tags):
            return [tag for tag in dict.fromkeys(tags) if tag]
    return []


def classes(tags: Sequence[Tag], prefix: str | None = None) -> list[str]:
    """Give the last parts of tags, each once; a tag that stands above another one is passed over.

    Args:
        tags: of one photo.
        prefix: take only tags below this one.
    """
    wanted = [tag for tag in tags if prefix is None or (tag[0] == prefix and len(tag) > 1)]
    lowest = [tag for tag in wanted if not any(other != tag and other[: len(tag)] == tag for other in wanted)]
    return list(dict.fromkeys(tag[-1] for tag in lowest))
