"""Access: how to reach the stores that photos lie in; ``storage.yaml`` says what the clouds' own settings do not."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from camtraps import params
from camtraps.errors import InputError, ParamsError
from camtraps.params import check_range

KINDS = {"s3": "s3", "s3a": "s3", "az": "az", "abfs": "az", "abfss": "az", "gs": "gs", "gcs": "gs"}
KINDS |= {"http": "web", "https": "web"}
OPTIONS = {
    "s3": ("profile", "region", "endpoint", "anonymous"),
    "az": ("account", "endpoint", "anonymous", "sas"),
    "gs": ("endpoint", "anonymous"),
    "web": ("sas",),
}
EVERYWHERE = ("timeout", "tries")
CREDENTIALS = {  # where each kind of store gets them from
    "s3": "set AWS_PROFILE, or profile in storage.yaml",
    "az": "set AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN, or anonymous: true in storage.yaml",
    "gs": "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS",
    "web": "if it asks for a key (SAS), name the variable that holds it as sas in storage.yaml",
}
AT_ONCE = 100  # connections to one store; more threads than that would wait for each other
# A part of an address that signs, or letters as only a key has so many.
SECRET = re.compile(r"(sig|key|token|password)=|^[\w+/=-]{40,}$", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reach:
    """How to reach the photos below a prefix: its section of ``storage.yaml``."""

    profile: str | None = None
    """``s3://``: a named profile of the AWS configuration."""
    region: str | None = None
    """``s3://``: the region of the bucket."""
    endpoint: str | None = None
    """Address of a server that is not the cloud's own, such as MinIO."""
    account: str | None = None
    """``az://``: the storage account."""
    anonymous: bool | None = None
    """Whether to go without credentials; None: where none are found (``s3://``, ``gs://``)."""
    sas: str | None = None
    """``https://``, ``az://``: the environment variable that holds the shared access signature."""
    timeout: float = 30.0
    """Seconds that a store may take to accept a connection, and that it may then stay silent."""
    tries: int = 4
    """How often to ask, where trouble may pass."""

    def __post_init__(self) -> None:
        """Refuse what cannot be, and keys."""
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, str) and _is_secret(field.name, value):
                raise ValueError(f"{field.name}: looks like a key; keys stay in environment variables")
        check_range(self, timeout=(0.1, 3600), tries=(1, 100))
        if self.endpoint is not None and not re.match(r"https?://\w", self.endpoint):
            raise ValueError(f"endpoint: must begin with https:// or http://, got {self.endpoint!r}")
        if self.sas is not None and not self.sas.isidentifier():
            raise ValueError("sas: must be the name of an environment variable, not the key itself")


def kind(uri: str) -> str:
    """Give the kind of store of a URI: s3, az, gs, web, or another protocol of fsspec."""
    protocol = uri.partition("://")[0]
    return KINDS.get(protocol, protocol)


def place(uri: str) -> str:
    """Give the bucket or host of a URI, for messages: the same for all its photos, and without a key."""
    protocol, _, rest = uri.partition("://")
    return f"{protocol}://{re.split('[/?#]', rest, maxsplit=1)[0].rpartition('@')[2]}"


def shown(uri: str) -> str:
    """Give a URI without a key, for messages."""
    _, slash, path = re.split(r"[?#]|sig=", uri.partition("://")[2], maxsplit=1, flags=re.IGNORECASE)[0].partition("/")
    return place(uri) + slash + path


def reach(uri: str) -> Reach:
    """Give how to reach a photo: the section of ``storage.yaml`` with the longest prefix of its URI.

    The file lies in the folder where commands run; ``$CAMTRAPS_STORAGE`` names another.

    Raises:
        MissingError: ``$CAMTRAPS_STORAGE`` names a file that is not there.
        ParamsError: the file is no YAML, or has a key or value that it cannot have.
    """
    sections = _sections()
    best = max((prefix for prefix in sections if _is_below(uri, prefix)), key=len, default=None)
    return sections[best] if best is not None else Reach()


def signature(reach: Reach) -> str:
    """Give the shared access signature that a section names, without ``?``; empty if it names none.

    Raises:
        InputError: the environment variable is not set.
    """
    if reach.sas is None:
        return ""
    value = os.environ.get(reach.sas, "").strip().lstrip("?")
    if not value:
        raise InputError(f"{_path()}: the environment variable {reach.sas} that sas names is not set; export it")
    return value


def credentials(uri: str, reach: Reach) -> str:
    """Name what a store is shown, for messages."""
    if reach.sas:
        return f"the key in {reach.sas}"
    profile = reach.profile or os.environ.get("AWS_PROFILE")
    return f"the AWS profile {profile!r}" if profile and kind(uri) == "s3" else "the credentials that it was given"


def check_root(uri: str) -> None:
    """Refuse the address of an image folder that has a key in it: it would get into git with the collection.

    Raises:
        InputError: a web address with a ``?`` or a name of a user, or any with a password or a signature.
    """
    if _holds_key(uri):
        plain = shown(uri)
        raise InputError(
            f"{plain}: the address of an image folder must not hold a key, since it is kept in datasets.csv; give it "
            "without, and name the environment variable that holds the key in storage.yaml, as in "
            f"`{plain}: {{sas: PHOTOS_SAS}}`"
        )


def s3(reach: Reach) -> Any:
    """Give the s3fs file system; errors as botocore's."""
    from s3fs import S3FileSystem

    anonymous = reach.anonymous
    if anonymous is None:
        anonymous = reach.profile is None and not has_aws_credentials()
    limits = {"connect_timeout": reach.timeout, "read_timeout": reach.timeout, "max_pool_connections": AT_ONCE}
    return S3FileSystem(
        anon=anonymous,
        endpoint_url=reach.endpoint,
        client_kwargs={"region_name": reach.region} if reach.region else {},
        config_kwargs=limits | {"retries": {"total_max_attempts": 1}},
        **({"profile": reach.profile} if reach.profile and not anonymous else {}),
    )


def az(reach: Reach, account: str | None) -> Any:
    """Give the adlfs file system.

    Args:
        reach: the section.
        account: the account that the URI names, if it does.

    Raises:
        InputError: no account is known, or adlfs is not installed.
    """
    try:
        from adlfs import AzureBlobFileSystem
    except ImportError:
        raise InputError("to read from az:// adlfs is needed; pip install adlfs") from None
    account = reach.account or account or os.environ.get("AZURE_STORAGE_ACCOUNT_NAME")
    if not account and not reach.endpoint:
        if os.environ.get("AZURE_STORAGE_CONNECTION_STRING"):
            return AzureBlobFileSystem()  # which reads it
        raise InputError("az:// needs an account: set AZURE_STORAGE_ACCOUNT_NAME, or account in storage.yaml")
    endpoint = reach.endpoint or f"https://{account}.blob.core.windows.net"
    sas, key = signature(reach), os.environ.get("AZURE_STORAGE_ACCOUNT_KEY")
    sas = sas or os.environ.get("AZURE_STORAGE_SAS_TOKEN", "").lstrip("?")
    # As a connection string, because adlfs takes whatever the environment holds otherwise, and https for granted.
    given = ""
    if reach.anonymous:
        pass
    elif sas and (reach.sas or not key):
        given = f"SharedAccessSignature={sas};"
    elif key:
        given = f"AccountName={account};AccountKey={key};"
    elif endpoint.startswith("https://"):
        return AzureBlobFileSystem(account_name=account, account_host=urlsplit(endpoint).netloc)
    return AzureBlobFileSystem(connection_string=f"BlobEndpoint={endpoint};{given}", anon=True)


def gs(reach: Reach) -> Any:
    """Give the gcsfs file system.

    Raises:
        InputError: gcsfs is not installed, or the file that ``$GOOGLE_APPLICATION_CREDENTIALS`` names is no key.
    """
    try:
        from gcsfs.core import GCSFileSystem
    except ImportError:
        raise InputError("to read from gs:// gcsfs is needed; pip install 'camtraps[gcs]'") from None
    anonymous = reach.anonymous if reach.anonymous is not None else not has_google_credentials()
    return GCSFileSystem(
        token="anon" if anonymous else "google_default", access="read_only", endpoint_url=reach.endpoint
    )


@lru_cache
def has_aws_credentials() -> bool:
    """Say whether the AWS configuration or environment holds credentials; errors as botocore's."""
    from botocore.session import Session

    return Session().get_credentials() is not None


@lru_cache
def has_google_credentials() -> bool:
    """Say whether there are Google's application default credentials.

    Raises:
        InputError: ``$GOOGLE_APPLICATION_CREDENTIALS`` names a file, but there are none.
    """
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError

    try:
        google.auth.default()
    except DefaultCredentialsError as error:
        if os.environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
            raise InputError(f"GOOGLE_APPLICATION_CREDENTIALS: {str(error.args[0]).splitlines()[0]}") from None
        return False
    return True


def _path() -> Path:
    return Path(os.environ.get("CAMTRAPS_STORAGE") or "storage.yaml")


def _sections() -> Mapping[str, Reach]:
    path = _path()
    if not path.exists() and not os.environ.get("CAMTRAPS_STORAGE"):
        return {}
    status = path.stat() if path.exists() else None  # its absence is told when it is read
    return _read(path, status and (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size))


@lru_cache
def _read(path: Path, version: tuple[int, ...] | None) -> Mapping[str, Reach]:
    document = params.read(path)
    for prefix, given in document.items():
        known = OPTIONS.get(kind(str(prefix)))
        if "://" not in str(prefix) or not known:
            raise ParamsError(f"{path}: {prefix}: must begin with s3://, az://, gs://, https:// or http://")
        if _holds_key(prefix):
            raise ParamsError(f"{path}: {place(prefix)}: the address holds a key; name its variable as sas instead")
        for key in given if isinstance(given, dict) else ():
            if key not in (*known, *EVERYWHERE):
                raise ParamsError(f"{path}: {prefix}.{key}: unknown key; known are {', '.join((*known, *EVERYWHERE))}")
    return {prefix: params.load(Reach, prefix, path) for prefix in document}


def _holds_key(uri: str) -> bool:
    _, mark, rest = uri.partition("://")
    user, at, _ = re.split("[/?#]", rest, maxsplit=1)[0].rpartition("@")
    is_web = kind(uri) == "web"
    has_password = bool(at) and (is_web or ":" in user)
    return bool(mark) and (has_password or "sig=" in rest.lower() or (is_web and "?" in rest))


def _is_secret(name: str, value: str) -> bool:
    if name == "endpoint" and re.search("[?@]", value):
        return True
    is_variable = name == "sas" and re.fullmatch("[A-Z_0-9]+", value)  # however long
    return not is_variable and bool(SECRET.search(value))


def _is_below(uri: str, prefix: str) -> bool:
    plain = prefix.rstrip("/")
    return uri == plain or uri.startswith(f"{plain}/")
