"""The service as a whole: a socket, the worker process, the queue and its thread, until somebody stops it."""

import socket
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from camtraps.errors import InputError
from camtraps.files import read_json
from camtraps.service import app
from camtraps.service.dispatcher import Dispatcher
from camtraps.service.queue import Queue
from camtraps.service.setup import Setup
from camtraps.service.shared import Service
from camtraps.service.worker import Worker

MAX_REQUESTS = 64  # at a time
GRACE = 5  # seconds that open requests have when the service is stopped


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the service is and who may use it.

    ``folder`` keeps the tasks; ``url`` and ``callers`` are as in `shared.Service`, ``versions`` other model versions
    that may be asked for. Port 0 is any that is free.
    """

    host: str
    port: int
    folder: Path
    url: str | None = None
    callers: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()

    @property
    def is_local(self) -> bool:
        """Say whether only this machine can reach it."""
        return self.host in app.LOCAL


def serve(setup: Setup, place: Place, ready: Callable[[str], None]) -> None:
    """Serve until the process is told to stop.

    Args:
        setup: what photos are looked at with.
        place: where.
        ready: is called with the address when the service answers.

    Raises:
        InputError: others could use it without a name, or the port is taken.
        CamtrapsError: the detector or the classifier cannot be used.
    """
    if not place.is_local and not place.callers:
        raise InputError(
            f"--host: {place.host} lets other machines in; say who may ask: CAMTRAPS_CALLERS=name,name, each as hard "
            "to guess as a password"
        )
    read_json(setup.model / "model.json")  # before a process is started that would take longer to find out
    queue = Queue(place.folder, setup.limits.max_tasks)
    with queue.locked(), closing(_bound(place)) as port, closing(Worker(setup)) as worker:
        service = Service(
            worker=worker,
            queue=queue,
            limits=setup.limits,
            versions=[str(worker.frame["info"]["detector"]).removeprefix("megadetector_"), *place.versions],
            callers=place.callers,
            url=place.url,
            is_local=place.is_local,
        )
        dispatcher = Dispatcher(queue, worker.submit, worker.frame, setup.limits)
        dispatcher.start()
        config = uvicorn.Config(
            app.make(service),
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=MAX_REQUESTS,
            timeout_graceful_shutdown=GRACE,
        )
        host = f"[{place.host}]" if ":" in place.host else place.host
        ready(f"http://{host}:{port.getsockname()[1]}")
        try:
            uvicorn.Server(config).run(sockets=[port])
        finally:
            dispatcher.stop()
            dispatcher.join()


def _bound(place: Place) -> socket.socket:
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    made = socket.socket(family)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((place.host, place.port))
        made.listen()
    except OSError as error:
        made.close()
        raise InputError(f"--port: {place.host}:{place.port}: {error.strerror or error}".lower()) from None
    return made
