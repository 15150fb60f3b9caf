"""The thread that works off the queue: one task after the other, shard by shard, each kept as soon as it is done."""

import json
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from camtraps.errors import CamtrapsError
from camtraps.files import climbs, read_json, remove, replacing, write_json
from camtraps.service import reading
from camtraps.service.limits import Limits
from camtraps.service.protocol import FAILED, Photo, Refusal, Request
from camtraps.service.queue import Queue
from camtraps.service.setup import Item
from camtraps.storage import PhotoError

SHARD = 16  # photos that are looked at together: who asks at once waits for no more than these
WAIT = 60.0  # seconds, unless something new comes
DIED = f"{FAILED}: the process that looked at this photo and others died"

log = logging.getLogger(__name__)

Submit = Callable[[Sequence[Item]], "Future[list[dict[str, Any]]]"]


class Dispatcher(threading.Thread):
    """Works off a queue until it is stopped; what is not done then is done by the next one."""

    def __init__(self, queue: Queue, submit: Submit, frame: dict[str, Any], limits: Limits) -> None:
        """Take the queue, what hands photos to the worker, a document without photos, and the limits."""
        super().__init__(name="dispatcher", daemon=True)
        self._queue, self._submit, self._frame, self._limits = queue, submit, frame, limits
        self._stopping = threading.Event()

    def run(self) -> None:
        """Work until `stop`."""
        while not self._stopping.is_set():
            self._queue.changed.clear()
            for task in self._queue.open():
                if not self._stopping.is_set():
                    self._work(task)
            self._queue.changed.wait(0.0 if self._stopping.is_set() else WAIT)

    def stop(self) -> None:
        """End after the shard that is being looked at."""
        self._stopping.set()
        self._queue.changed.set()

    def _work(self, task: str) -> None:
        try:
            request = self._queue.request(task)
            photos = self._photos(task, request)
        except (CamtrapsError, ValueError) as error:
            self._queue.note(task, "failed", f"the photos cannot be listed: {error}")
            return
        if not photos:
            self._queue.note(task, "completed", "zero images found, of the known endings and the prefix")
            return
        try:
            self._look(task, request, photos)
        except Exception:
            log.exception("task %s", task)
            self._queue.note(task, "problem", "the service has failed; see its log")
        if task not in self._queue.open():
            remove(self._queue.folder(task) / "shards")  # what was done while it was cancelled

    def _photos(self, task: str, request: Request) -> list[Photo]:
        """Give the photos of a task: as they were listed when it was begun."""
        path = self._queue.folder(task) / "photos.json"
        if path.is_file():
            return [(name, extra) for name, extra in read_json(path)]
        photos = request.chosen(self._listed(request))
        write_json(path, photos)
        return photos

    def _listed(self, request: Request) -> Any:
        limits = replace(self._limits, max_bytes=self._limits.max_list_bytes)
        try:
            if request.photos:
                return json.loads(reading.read(request.photos, limits))
            return list(_names(request.container, limits))
        except PhotoError as error:
            raise Refusal(400, f"the list is {str(error).removeprefix('photo ')}") from None
        except (ValueError, RecursionError, ElementTree.ParseError):
            raise Refusal(400, "what stands there is no list") from None

    def _look(self, task: str, request: Request, photos: list[Photo]) -> None:
        """Have the shards looked at that are not done, and put the results together."""
        folder = self._queue.folder(task) / "shards"
        paths = [folder / f"{at:06}.json" for at in range(-(-len(photos) // SHARD))]
        for at, path in enumerate(paths):
            if self._stopping.is_set():
                return
            if not self._queue.note(task, "running", f"{at} out of {len(paths)} shards have completed"):
                return  # it was cancelled
            if not path.is_file():
                shard = photos[at * SHARD : (at + 1) * SHARD]
                done = self._answers([Item(name, None, _uri(request.container, name)) for name, _ in shard])
                if done is None:
                    return
                for entry, (_, extra) in zip(done["images"], shard, strict=True):
                    entry |= {"meta": extra} if extra is not None else {}
                write_json(path, done)
        self._finish(task, request.name, paths)

    def _answers(self, items: list[Item]) -> dict[str, Any] | None:
        """Give the entries of a shard, and whether the worker died over it; None when the service stops."""
        for _ in range(2):
            try:
                return {"died": False, "images": self._submit(items).result()}
            except BrokenProcessPool:
                log.warning("the worker died over %s and %d others", items[0].name, len(items) - 1)
            except CancelledError:
                return None
            if self._stopping.is_set():
                return None
        return {"died": True, "images": [{"file": item.name, "failure": DIED, "detections": None} for item in items]}

    def _finish(self, task: str, name: str, shards: list[Path]) -> None:
        """Write the result file, a shard at a time."""
        now = datetime.now(UTC)
        file_name = "_".join([task, "detections", *filter(None, [name]), f"{now:%Y%m%d%H%M%S}.json"])
        info = self._frame["info"] | {"detection_completion_time": f"{now:%Y-%m-%d %H:%M:%S}"}
        head = json.dumps(self._frame | {"info": info, "images": []}, ensure_ascii=False).removesuffix("]}")
        assert '"images": [' in head[-12:], head[-12:]  # so the images must be the last key
        num_failed, comma = 0, "\n"
        with replacing(self._queue.folder(task) / file_name) as part, part.open("w", encoding="utf-8") as file:
            file.write(head)
            for path in shards:
                shard = read_json(path)
                num_failed += shard["died"]
                for entry in shard["images"]:
                    file.write(comma + json.dumps(entry, ensure_ascii=False))
                    comma = ",\n"
            file.write("\n]}\n")
        self._queue.note(task, "completed", "", results=file_name, num_failed_shards=num_failed)


def _uri(container: str, name: str) -> str:
    """Give the address of a photo: its name, or in a container with a key, its path there."""
    if not container:
        return name
    folder, mark, key = container.partition("?")
    return f"{folder.rstrip('/')}/{quote(name)}{mark}{key}" if not climbs(name) else ""


def _names(container: str, limits: Limits) -> Iterator[str]:
    """List an Azure container (List Blobs), a page at a time."""
    folder, _, key = container.partition("?")
    marker = ""
    while True:
        query = f"restype=container&comp=list&marker={quote(marker)}&{key}"
        page = ElementTree.fromstring(reading.read(f"{folder}?{query}", limits))
        yield from (each.text for each in page.iterfind("Blobs/Blob/Name") if each.text)
        marker = page.findtext("NextMarker") or ""
        if not marker:
            return
