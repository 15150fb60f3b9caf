"""The service's application over HTTP with a worker that answers at once; and the whole of it as a user runs it."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import Future
from contextlib import contextmanager

import uvicorn
from imports import ROOT

from camtraps.service import app
from camtraps.service.dispatcher import Dispatcher
from camtraps.service.limits import Limits
from camtraps.service.queue import Queue
from camtraps.service.shared import Service

BATCH = "/v4/camera-trap/detection-batch"
FRAME = {"info": {"format_version": "1.6", "detector": "d"}, "detection_categories": {"1": "animal"}, "images": []}


class FakeWorker:
    """Finds one animal in every photo; ``seen`` keeps the photos, ``trouble`` the errors that come first."""

    frame = FRAME

    def __init__(self):
        self.seen, self.trouble, self.delay = [], [], None

    def submit(self, items):
        future = Future()
        future.set_running_or_notify_cancel()
        self.seen.append(list(items))
        if self.trouble and (error := self.trouble.pop(0)):
            future.set_exception(error)
        elif self.delay:
            threading.Thread(target=lambda: (self.delay.wait(), future.set_result(self.found(items)))).start()
        else:
            future.set_result(self.found(items))
        return future

    def found(self, items):
        box = {"category": "1", "conf": 0.9, "bbox": [0.1, 0.2, 0.3, 0.4], "classifications": [["0", 0.8]]}
        return [{"file": item.name, "detections": [box]} for item in items]


@contextmanager
def serving(folder, worker=None, works_off=True, **given):
    """Serve for the time of a block; give the address, the worker and the queue."""
    worker = worker or FakeWorker()
    limits = given.pop("limits", Limits())
    queue = Queue(folder, limits.max_tasks)
    service = Service(worker=worker, queue=queue, limits=limits, versions=["5a", "4.1"], **given)
    dispatcher = Dispatcher(queue, worker.submit, FRAME, limits)
    if works_off:
        dispatcher.start()
    with socket.socket() as port:
        port.bind(("127.0.0.1", 0))
        port.listen()
        server = uvicorn.Server(uvicorn.Config(app.make(service), log_config=None, timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [port]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{port.getsockname()[1]}", worker, queue
        finally:
            server.should_exit = True
            thread.join()
            dispatcher.stop()
            if works_off:
                dispatcher.join()


@contextmanager
def started(*arguments, **environment):
    """Run `camtraps serve` in a process of its own; give its address and the process."""
    code = "import sys; from camtraps.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", code, "serve", "--port", "0", *arguments]
    settings = os.environ | {"OMP_NUM_THREADS": "1"} | environment
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=settings, cwd=ROOT, text=True) as process:
        try:
            line = process.stdout.readline()
            yield re.match(r"http://[^:]+:\d+", line)[0], process
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)
