"""Server-side request forgery: what the service does not read, whoever asks."""

import pytest

from camtraps.service.limits import Forbidden, Limits, check_uri, is_public

OPEN = Limits(allow=("https://", "http://", "s3://team/", "az://photos"))


def reason(uri, limits=OPEN):
    with pytest.raises(Forbidden) as error:
        check_uri(uri, limits)
    return str(error.value)


@pytest.mark.parametrize("uri", ["https://example.org/a.jpg", "s3://team/a b.jpg", "az://photos/a"])
def test_what_is_allowed_passes(uri):
    check_uri(uri, OPEN)


@pytest.mark.parametrize(
    "uri", ["/etc/passwd", "file:///etc/passwd", "ftp://h/a", "a.jpg", "memory://a", "HTTPS://h/a"]
)
def test_local_paths_and_other_schemes_are_never_read(uri):
    assert reason(uri) == "must begin with https://, http://, s3://, az://, gs://"


@pytest.mark.parametrize(
    "uri", ["https://", "https://user@evil.org/a", "https://a\\@b/c", "https://h h/a", "https://h/\n", "s3://team/../x"]
)
def test_odd_addresses_are_refused(uri):
    assert reason(uri) == "is not an address"


@pytest.mark.parametrize("path", ["../b", "%2e%2e/b", "%252e%252e/b"])
def test_an_address_does_not_climb_out_of_an_allowed_folder(path):
    assert reason(f"https://h/open/{path}", Limits(allow=("https://h/open/",))) == "is not an address"


@pytest.mark.parametrize(
    ("uri", "prefix"),
    [
        ("https://good.org.evil.com/a", "https://good.org"),
        ("https://good.org:8080/a", "https://good.org"),
        ("s3://team2/a", "s3://team"),
        ("gs://team/a", "s3://team"),
        ("https://good.org/a", "http://good.org"),
    ],
)
def test_only_what_is_below_an_allowed_prefix_is_read(uri, prefix):
    assert reason(uri, Limits(allow=(prefix,))) == f"is not among the addresses that are allowed here ({prefix})"


def test_nothing_is_allowed_unless_it_is_named():
    assert reason("https://example.org/a.jpg", Limits()).endswith("(none are)")


PRIVATE = ["127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1"]
PRIVATE += ["::1", "fe80::1", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::"]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_told(address):
    assert not is_public(address)
    host = f"[{address}]" if ":" in address else address
    assert reason(f"http://{host}/a") == "leads to a private address"
    check_uri(f"http://{host}/a", Limits(allow=("http://",), allow_private=True))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_public_addresses_are_told(address):
    assert is_public(address)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"allow": ("https:/x",)}, "allow: must begin with https://, http://, s3://, az://, gs://, got 'https:/x'"),
        ({"allow": ("file:///",)}, "allow: must begin with https://, http://, s3://, az://, gs://, got 'file:///'"),
        ({"timeout": 0.0}, "timeout: must be from 0.1 to 86400.0, got 0.0"),
        ({"max_bytes": 0}, "max_bytes: must be at least 1000, got 0"),
    ],
)
def test_limits_have_ranges(given, said):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        Limits(**given)
    assert str(error.value) == said
