"""The Batch Detection API over HTTP, versions 3 and 4: its requests, retries and answers.

Protocol: "Camera trap batch processing API user guide" of the CameraTraps repository (API v3 of 2020, v4 of 2021).
Keys, which are the caller's id and what stands behind the ``?`` of an address, are in no message.
"""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import NewConnectionError

from camtraps.errors import CamtrapsError, InputError
from camtraps.files import replacing

EXTENSIONS = {"v3": (".jpg", ".jpeg"), "v4": (".jpg", ".jpeg", ".png")}
PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)  # seconds before the second, third ... try
PATIENCE = (15.0, 120.0)  # seconds to wait for a connection, and for the next bytes of an answer
AGAIN = (429, 500, 502, 503, 504)  # HTTP answers that may be better later
UNSURE = (502, 504)  # those of them that do not tell whether the API got the request
NOT_FOUND = 404

T = TypeVar("T")


class Unreachable(CamtrapsError):
    """Nothing, or nothing usable, was heard of a server in all tries; it may answer later."""


class Unsure(Unreachable):
    """No usable answer came, but the request may have been accepted."""


class Refused(InputError):
    """A server has said no, with an HTTP status below 500; ``status`` is its number."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Status:
    """What the API says of a task.

    ``state`` is created, running, failed, problem, completed or canceled, or something that we do not know. ``urls``
    gives the result files of a completed task (detections; v3 also failed_images and images); there are none where no
    photo was found. ``done`` is the share of its photos that are looked at, 0 to 1, as far as the message tells.
    """

    state: str
    message: str
    urls: Mapping[str, str] = field(default_factory=dict, repr=False)
    failed_shards: int = 0

    @property
    def done(self) -> float:
        """Give the share of the task's shards that are done; 0 if nothing is said of them."""
        if self.state == "completed":
            return 1.0
        match = re.search(r"(\d+) out of (?:total )?(\d+)", self.message)
        return min(1.0, int(match[1]) / int(match[2])) if match and int(match[2]) else 0.0


def read_status(answer: Any) -> Status:
    """Read the answer to a question about a task; whatever is missing in it gives an unknown state."""
    given = answer.get("Status") if isinstance(answer, dict) else None
    if not isinstance(given, dict):  # API v3 says "Not found." of a task that it does not know
        return Status("problem" if str(given).lower().startswith("not found") else str(given), str(given))
    state, message = str(given.get("request_status")), given.get("message")
    if not isinstance(message, dict):
        return Status(state, _plain(str(message)))
    urls = message.get("output_file_urls")
    shards = message.get("num_failed_shards")
    if not isinstance(urls, dict) or not isinstance(urls.get("detections"), str):
        return Status("problem" if state == "completed" else state, "its result files are not named")
    urls = {str(name): url for name, url in urls.items() if isinstance(url, str)}
    return Status(state, "", urls, shards if isinstance(shards, int) else 0)


@dataclass(frozen=True)
class Client:
    """The API at ``url``, whose path names the version, for a ``caller`` that it knows."""

    url: str
    caller: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        """Refuse an address without a version that we know."""
        if not re.match(r"https?://[^/]+/(.*/)?v[34](/|$)", self.url):
            raise InputError(
                "BATCH_DETECTION_API_URL: expected an address such as https://HOST/v4/camera-trap/detection-batch, "
                f"got {shown(self.url)}"
            )

    @property
    def version(self) -> str:
        """Give v3 or v4."""
        return "v3" if re.search(r"/v3(/|$)", self.url) else "v4"

    def submit(self, request: Mapping[str, Any]) -> str:
        """Ask for detections; give the task's id. It is not sent again where the API may have got it: work costs.

        Args:
            request: the request's body without the caller.

        Raises:
            Unsure: the API may have got it.
            InputError: what it gives is no id; or Unreachable or Refused: it has not accepted the request.
        """
        address = f"{self.url}/request_detections"
        answer = _send("POST", address, _json, once=True, json={"caller": self.caller, **request})
        task = answer.get("request_id") if isinstance(answer, dict) else None
        return check_id(task, shown(address))

    def task(self, task: str) -> Any:
        """Give the API's answer to "how is this task?", for `read_status`. Asked once: who polls asks again anyway."""
        return _send("GET", f"{self.url}/task/{task}", _json, patient=False)

    def cancel(self, task: str) -> str:
        """Cancel a task that is not finished; give what the API says.

        Raises:
            InputError: API v3, which cannot; or Refused: the task is finished or unknown.
        """
        if self.version == "v3":
            raise InputError(f"{shown(self.url)}: version 3 of the API cannot cancel a task; it runs to its end")
        body = {"caller": self.caller, "request_id": task}
        return _send("POST", f"{self.url}/cancel_request", lambda answer: _plain(answer.text), json=body)

    def models(self) -> list[str]:
        """List the model versions that can be asked for."""
        answer = _send("GET", f"{self.url}/supported_model_versions", _json)
        return sorted(map(str, answer)) if isinstance(answer, list) else []

    def default_model(self) -> str:
        """Give the model version that is used if none is asked for."""
        return _send("GET", f"{self.url}/default_model_version", lambda answer: answer.text.strip().strip('"'))


def put(url: str, data: bytes) -> None:
    """Write a file to an Azure container (Put Blob); ``url`` has the key."""
    _send("PUT", url, lambda answer: None, data=data, headers={"x-ms-blob-type": "BlockBlob"})


def download(url: str, path: Path) -> None:
    """Download a result file, whole or not at all."""

    def save(answer: requests.Response) -> None:
        # Fewer bytes than the server has announced are an error here.
        with replacing(path) as part, part.open("wb") as file:
            for block in answer.iter_content(1 << 20):
                file.write(block)

    _send("GET", url, save)


def check_id(task: Any, where: str) -> str:
    """Give a task's id back if it is one: it becomes the name of a folder.

    Raises:
        InputError: it is not.
    """
    if not isinstance(task, str) or not re.fullmatch(r"[A-Za-z0-9-]{1,64}", task):
        raise InputError(f"{where}: {str(task)[:80]!r} is no id of a task")
    return task


def shown(url: str) -> str:
    """Give an address without what may be secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" if parts.netloc else repr(parts.path)


def _send(
    method: str,
    url: str,
    read: Callable[[requests.Response], T],
    once: bool = False,
    patient: bool = True,
    **options: Any,
) -> T:
    """Send a request, again after a pause where that may help; give what ``read`` makes of the answer.

    Args:
        method: GET, POST or PUT.
        url: where to.
        read: reads the answer's body; a connection that breaks meanwhile counts like any other.
        once: do not send it again if the server may have got it.
        patient: try again after trouble.
        options: of `requests.request`.

    Raises:
        Unreachable: no luck in all tries; Unsure where ``once`` matters.
        Refused: the server says no.
    """
    for pause in (*(PAUSES if patient else ()), None):
        try:
            with requests.request(method, url, timeout=PATIENCE, stream=True, **options) as answer:
                if answer.ok:
                    return read(answer)
                trouble, unsure = _told(answer), answer.status_code in UNSURE
                if answer.status_code not in AGAIN:
                    raise Refused(f"{shown(url)}: {trouble}", answer.status_code)
        except requests.RequestException as error:
            trouble, unsure = _fault(error), not _is_unconnected(error)
        if once and unsure:
            raise Unsure(f"{shown(url)}: {trouble}; the request may have been accepted all the same")
        if pause is None:
            break
        time.sleep(pause)
    raise Unreachable(f"{shown(url)}: {trouble}")


def _json(answer: requests.Response) -> Any:
    return answer.json()


def _told(answer: requests.Response) -> str:
    """Give the status and the text that a server refuses with."""
    try:
        text = answer.json()["error"]
    except (requests.RequestException, KeyError, TypeError):
        text = answer.reason
    return f"HTTP {answer.status_code}: {_plain(str(text))}"


def _fault(error: requests.RequestException) -> str:
    # The text of the error itself has the whole address in it.
    if isinstance(error, requests.Timeout):
        return "timed out"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not accepted"
    if isinstance(error, requests.exceptions.InvalidJSONError):
        return "the answer is not JSON"
    return "out of reach" if _is_unconnected(error) else "the connection broke off"


def _is_unconnected(error: requests.RequestException) -> bool:
    """Say whether the server cannot have got the request."""
    cause = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(error, requests.ConnectTimeout) or isinstance(cause, NewConnectionError)


def _plain(text: str) -> str:
    """Give a server's text in one line, without keys of addresses in it."""
    return re.sub(r"(https?://[^\s?]+)\?[^\s\"']+", r"\1", " ".join(text.split()))[:300]
