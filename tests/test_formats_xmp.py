"""XMP: the tags of a packet and the classes that they name."""

import pytest
from make_photos import packet

from camtraps.formats import xmp


def test_tags_come_with_all_their_parts():
    given = ("Species|Mammal| Roe deer ", "NA", "Species|Mammal|Roe deer", "|")
    assert xmp.read(packet(given)) == [("Species", "Mammal", "Roe deer"), ("NA",)]


@pytest.mark.parametrize("kind", ["bytes", "text", "file"])
def test_a_packet_may_be_bytes_or_text_or_lie_in_a_file(tmp_path, kind):
    data = packet(("Größe|fox",))
    (tmp_path / "1.xmp").write_bytes(b"\xef\xbb\xbf" + data)
    given = {"bytes": data + b"\0", "text": data.decode(), "file": tmp_path / "1.xmp"}
    assert xmp.read(given[kind]) == [("Größe", "fox")]


def test_tags_of_digikam_are_read_where_lightroom_has_none():
    assert xmp.read(packet(digikam=("Species/Mammal/Fox",))) == [("Species", "Mammal", "Fox")]
    assert xmp.read(packet(("Species|deer/elk",), ("Species/deer/elk",))) == [("Species", "deer/elk")]


def test_a_packet_may_have_no_tags():
    assert xmp.read(packet()) == []


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>', ValueError, "it declares entities"),
        (b"<x>", SyntaxError, "no element found: line 1, column 3"),
        (b"\xff\xfe<", ValueError, "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
    ],
)
def test_what_is_no_packet_says_why(given, error, message):
    with pytest.raises(error) as caught:
        xmp.read(given)
    assert str(caught.value) == message


def test_a_packet_that_is_far_too_long_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(xmp, "LARGEST_XMP", 100)
    (tmp_path / "1.xmp").write_bytes(packet(("fox",)))
    for given in (packet(("fox",)), tmp_path / "1.xmp"):
        with pytest.raises(ValueError, match=r"^too long$"):
            xmp.read(given)


def test_several_tags_are_several_classes():
    tags = [("Species", "Roe deer"), ("Species", "a & b"), ("Sex", "male"), ("Other", "Roe deer"), ("NA",)]
    assert xmp.classes(tags) == ["Roe deer", "a & b", "male", "NA"]


def test_a_prefix_chooses_the_tags():
    tags = [("Species",), ("Species", "Bird", "Jay"), ("Sex", "male"), ("species", "x")]
    assert xmp.classes(tags, "Species") == ["Jay"]


def test_a_tag_above_another_is_passed_over():
    tags = [("Mammal",), ("Mammal", "Fox"), ("Mammal", "Fox", "cub"), ("Bird",)]
    assert xmp.classes(tags) == ["cub", "Bird"]
