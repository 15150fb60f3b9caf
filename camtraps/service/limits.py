"""What a caller of the service may ask for: sizes, times, and the addresses that it reads from."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from camtraps.errors import InputError
from camtraps.params import check_range

SCHEMES = ("https", "http", "s3", "az", "gs")
NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Forbidden(InputError):
    """An address that the service does not read from."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What a request may cost."""

    allow: tuple[str, ...] = ()
    """What the URIs that are read must begin with, such as ``https://`` or ``s3://team-photos/``; none: none are."""
    allow_private: bool = False
    """Whether web addresses may lead into this machine or a private network."""
    max_bytes: int = 32_000_000
    """Of a request's body, and of a photo that is read from a URI."""
    max_pixels: int = 50_000_000
    """Of a photo."""
    max_photos: int = 100
    """In a request that is answered at once."""
    max_list_bytes: int = 256_000_000
    """Of the list of a task's photos."""
    max_tasks: int = 64
    """That are waiting or running."""
    timeout: float = 120.0
    """Seconds: for a request's body to come, for the answer to be ready, and for a photo to be read from a URI."""

    def __post_init__(self) -> None:
        """Check the ranges, and that the prefixes are those of addresses."""
        check_range(self, max_bytes=(1000, None), max_pixels=(1000, None), max_photos=(1, None), max_tasks=(1, None))
        check_range(self, timeout=(0.1, 86_400.0))
        for prefix in self.allow:
            if prefix.partition("://")[0] not in SCHEMES or "://" not in prefix:
                raise ValueError(f"allow: must begin with {'://, '.join(SCHEMES)}://, got {prefix!r}")


def check_uri(uri: str, limits: Limits) -> None:
    """Refuse a URI that is not below an allowed prefix, or that names a private address outright.

    Where a name leads to is only known when it is looked up: see `reading`.

    Raises:
        Forbidden: it must not be read; the message says why.
    """
    if not isinstance(uri, str) or len(uri) > 4000 or re.search(r"[\x00-\x1f\x7f\\]", uri):
        raise Forbidden("is not an address")
    scheme, mark, _ = uri.partition("://")
    if not mark or scheme not in SCHEMES:
        raise Forbidden(f"must begin with {'://, '.join(SCHEMES)}://")
    try:
        parts = urlsplit(uri)
        host = parts.hostname or ""
    except ValueError:
        raise Forbidden("is not an address") from None
    has_user = "@" in parts.netloc and scheme != "az"
    if not host or " " in parts.netloc or has_user or ".." in unquote(unquote(parts.path)).split("/"):
        raise Forbidden("is not an address")
    if not any(_is_below(uri, prefix) for prefix in limits.allow):
        allowed = ", ".join(limits.allow) or "none are"
        raise Forbidden(f"is not among the addresses that are allowed here ({allowed})")
    if scheme in ("http", "https") and not limits.allow_private and _is_ip(host) and not is_public(host):
        raise Forbidden("leads to a private address")


def is_public(address: str) -> bool:
    """Say whether an IP address is one of the open internet, and so is any other address inside of it."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo or (None, None))[1]
        if inner is None and found in NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return found.is_global and not found.is_multicast


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _is_below(uri: str, prefix: str) -> bool:
    # `https://good.org` must not allow `https://good.org.evil.com`.
    if prefix.endswith("/"):
        return uri.startswith(prefix)
    return uri == prefix or uri.startswith((f"{prefix}/", f"{prefix}?"))
