"""Where the batch API, its lists and the photos lie, as the environment and ``storage.yaml`` say, with their keys."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

from camtraps import access
from camtraps.detectors.batch_client import Client, put
from camtraps.errors import InputError

URL, CALLER = "BATCH_DETECTION_API_URL", "DETECTION_API_CALLER"
ACCOUNT, CONTAINER = "CLASSIFICATION_BLOB_STORAGE_ACCOUNT", "CLASSIFICATION_BLOB_CONTAINER"
LISTS_KEY = "CLASSIFICATION_BLOB_CONTAINER_WRITE_SAS"
PHOTOS_KEY = "BATCH_DETECTION_API_SAS_"  # and the dataset in capitals, with _ for every sign


def client(*more: str) -> Client:
    """Make the client that the environment describes.

    Args:
        more: other variables that must be there too.

    Raises:
        InputError: some are missing (all of them are named), or the address is none of the API.
    """
    lacking = [name for name in (URL, *more) if not os.environ.get(name)]
    if lacking:
        raise InputError(f"the environment lacks {', '.join(lacking)}, which the batch API needs")
    return Client(os.environ[URL].rstrip("/"), os.environ.get(CALLER, ""))


@dataclass(frozen=True)
class Shelf:
    """The container at ``url`` where lists of photos are put for the API; ``key`` is a SAS that may read and write."""

    url: str
    key: str = field(repr=False)

    def put(self, name: str, data: bytes) -> str:
        """Put a file there; give the address, with the key, that the API reads it at."""
        address = f"{self.url}/{quote(name)}?{self.key}"
        put(address, data)
        return address


def shelf() -> Shelf:
    """Make the place for lists that the environment describes; `client` has checked that its variables are there."""
    account = os.environ[ACCOUNT]
    host = account.rstrip("/") if "://" in account else _host(account)
    return Shelf(f"{host}/{os.environ[CONTAINER]}", os.environ[LISTS_KEY].lstrip("?"))


@dataclass(frozen=True)
class Reach:
    """How the API gets at the photos of a dataset: in a container with a key, or else by their public addresses.

    ``root`` is what the URIs of all photos in the container at ``url`` begin with; both are empty for photos of the
    web outside of Azure.
    """

    root: str = ""
    url: str = ""
    key: str = field(default="", repr=False)

    @property
    def container(self) -> str:
        """Give the address of the container without its key; empty if photos are named by their addresses."""
        return self.url if self.key else ""

    def name(self, uri: str) -> str:
        """Give the name of a photo in the list of a request: its path in the container, or its address."""
        path = uri.removeprefix(self.root)
        if self.root.startswith("http"):
            return unquote(path)
        return path if self.key or not self.root else f"{self.url}/{quote(path)}"

    def request(self) -> dict[str, Any]:
        """Give the part of a request that says where the photos are."""
        return {"input_container_sas": f"{self.url}?{self.key}"} if self.key else {"use_url": True}


def reaches(uris: Mapping[str, str]) -> dict[str, Reach]:
    """Say how the API gets at datasets.

    Args:
        uris: of each dataset a photo: ``az://CONTAINER/...``, ``https://ACCOUNT.blob.core.windows.net/CONTAINER/...``
            with a key unless it is public, or any other public web address.

    Raises:
        InputError: the API cannot read from there, or variables are missing; of all datasets in one line.
    """
    found, problems = {}, []
    for dataset, uri in uris.items():
        try:
            found[dataset] = _reach(dataset, uri)
        except InputError as error:
            problems.append(f"dataset {dataset!r}: {error}")
    if problems:
        raise InputError("; ".join(problems))
    return found


def _reach(dataset: str, uri: str) -> Reach:
    section, kind = access.reach(uri), access.kind(uri)
    scheme, _, rest = uri.partition("://")
    place, _, path = rest.partition("/")
    if kind == "web":
        container = f"{scheme}://{place}/{path.partition('/')[0]}"
        key = _key(dataset, section)
        return Reach(f"{container}/", container, key) if key else Reach()
    if kind != "az":
        raise InputError(
            f"the batch API cannot read {access.place(uri) if rest else uri}, only az:// and https://; choose another "
            "detect.detector, or put the photos there"
        )
    name, _, host = place.partition("@")
    account = section.account or os.environ.get("AZURE_STORAGE_ACCOUNT_NAME")
    key = _key(dataset, section) or os.environ.get("AZURE_STORAGE_SAS_TOKEN", "").lstrip("?")
    lacking = [] if key or section.anonymous else [_variable(dataset)]
    if not (section.endpoint or host or account):
        lacking.append("AZURE_STORAGE_ACCOUNT_NAME")
    if lacking:
        raise InputError(f"the environment lacks {', '.join(lacking)}")
    host = section.endpoint or (f"https://{host.replace('.dfs.', '.blob.')}" if host else _host(str(account)))
    return Reach(f"{scheme}://{place}/", f"{host.rstrip('/')}/{name}", key)


def _key(dataset: str, section: access.Reach) -> str:
    """Give the SAS, which must allow to read and list, of a dataset's container; empty if there is none."""
    return os.environ.get(_variable(dataset), "").lstrip("?") or access.signature(section)


def _variable(dataset: str) -> str:
    return f"{PHOTOS_KEY}{re.sub('[^A-Z0-9]', '_', dataset.upper())}"


def _host(account: str) -> str:
    return f"https://{account}.blob.core.windows.net"
