"""What the endpoints of the service share."""

from collections.abc import Collection
from dataclasses import dataclass

from camtraps.service.limits import Limits
from camtraps.service.queue import Queue
from camtraps.service.worker import Worker


@dataclass(frozen=True)
class Service:
    """What the endpoints work with.

    ``versions`` are the model versions that may be asked for, the default first; ``callers`` those who may ask, or
    nobody in particular; ``url`` is the address that the results are given under, None for that of the request;
    ``is_local`` says that the service is for this machine alone.
    """

    worker: Worker
    queue: Queue
    limits: Limits
    versions: list[str]
    callers: Collection[str] = ()
    url: str | None = None
    is_local: bool = True
