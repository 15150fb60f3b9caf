"""Troubles with remote stores: told in words that are the same for all files of a store, and hold no key."""

import re
from http import HTTPStatus
from typing import Any

from camtraps import access
from camtraps.access import Reach
from camtraps.errors import CamtrapsError

GONE = (404, 410)  # HTTP answers that mean: no such file
PASSING = (408, 425, 429, 500, 502, 503, 504)  # HTTP answers of a store that has too much to do
BUSY = ("RequestTimeout", "SlowDown", "Throttling", "ThrottlingException")  # S3's words for it, with any number
# What stores say with 404 where it is not the file that is missing.
NO_STORE = ("NoSuchBucket", "ContainerNotFound")
CLOSED = "ResourceNotFound"  # Azure's for a container that is not there or, to those without a key, not public

# Each client has errors of its own. They are told by name here, since to import all clients would take seconds.
BROKEN = {"ConnectionError", "ClientConnectionError", "ClientPayloadError", "HTTPClientError", "IncompleteReadError"}
BROKEN |= {"ResponseParserError", "ServiceRequestError", "ServiceResponseError", "TransportError"}
UNREACHED = {"ClientConnectorError", "EndpointConnectionError", "ProxyConnectionError", "ServiceRequestError"}
UNTRUSTED = {"SSLError", "ClientSSLError"}
UNKNOWN = {"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "SSOError"}
UNKNOWN |= {"ClientAuthenticationError", "GoogleAuthError", "HttpError"}  # the last is gcsfs', which asks for a token


class Trouble(CamtrapsError):
    """A store did not give what it was asked for; the message says why.

    ``gone``: it says that there is no such file. ``passing``: it may go better the next time.
    """

    def __init__(self, told: str, gone: bool = False, passing: bool = False) -> None:
        super().__init__(told)
        self.gone, self.passing = gone, passing


class Refused(Exception):
    """An HTTP answer that is no success; ``code`` is the store's word for it, if it has one."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(status, code)
        self.status, self.code = status, code


def of(error: Exception, uri: str, reach: Reach, signed: bool) -> Trouble:
    """Tell an error of a store's client.

    Args:
        error: what was raised.
        uri: the file that was asked for.
        reach: how it was asked for.
        signed: whether credentials went along.
    """
    where, remedy = access.place(uri), access.CREDENTIALS.get(access.kind(uri), "")
    names = {each.__name__ for each in type(error).__mro__}
    status, code = _answer(error)
    if status is not None:
        return _refusal(uri, reach if signed else None, status, code)
    if any("Timeout" in name for name in names):
        return Trouble(f"{where} did not answer within {reach.timeout:g} s", passing=True)
    if names & UNTRUSTED:
        return Trouble(f"the certificate of {where} is not trusted")
    if names & UNREACHED:
        return Trouble(f"no connection to {where}", passing=True)
    if names & BROKEN:
        return Trouble(f"the connection to {where} broke off", passing=True)
    if "ProfileNotFound" in names:
        profile = getattr(error, "kwargs", {}).get("profile")
        return Trouble(f"AWS has no profile {profile!r}; make it with `aws configure --profile {profile}`")
    if names & UNKNOWN:
        return Trouble(f"no credentials for {where}; {remedy}")
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return Trouble("no such file", gone=True)
    told = str(getattr(error, "strerror", None) or error or type(error).__name__)
    # All lines: of some the first says only that there is a reason.
    return Trouble(" ".join(re.sub(r"\?\S*", "", told.replace(uri, where)).split())[:200])


def _answer(error: Exception) -> tuple[int | None, str]:
    """Give the HTTP status of an error and the store's word for it."""
    given: Any = getattr(error, "response", None)
    if isinstance(given, dict):  # botocore's
        status, code = given.get("ResponseMetadata", {}).get("HTTPStatusCode"), given.get("Error", {}).get("Code")
    else:  # aiohttp's and ours, azure's
        status = getattr(error, "status", None) or getattr(error, "status_code", None)
        code = getattr(error, "code", None) or getattr(error, "error_code", None)
    word = str(getattr(code, "value", code) or "")
    # Where there is no word, botocore repeats the number.
    return (status if isinstance(status, int) else None), word if word.isalpha() else ""


def _refusal(uri: str, signed: Reach | None, status: int, code: str) -> Trouble:
    where, remedy = access.place(uri), access.CREDENTIALS.get(access.kind(uri), "")
    phrase = next((each.phrase for each in HTTPStatus if each == status), "")
    told = f"HTTP {status} {code or phrase}".strip()
    if code in NO_STORE:
        return Trouble(f"{where} does not exist")
    if code == CLOSED or status in (401, 403):
        if signed:
            return Trouble(f"{where} refuses {access.credentials(uri, signed)}: {told}")
        return Trouble(f"{where} is not open to all: {told}; {remedy}")
    if status in GONE:
        return Trouble("no such file", gone=True)
    return Trouble(told, passing=status in PASSING or code in BUSY)
