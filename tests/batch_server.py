"""A server on this machine that follows the protocol of the Batch Detection API, version 3 or 4, failures included.

It also plays the storage: containers that are written to by PUT with a key, and result files. A task goes through
``states``, one at each question about it, and stays in the last. ``trouble`` gives the HTTP answers that come before
the right ones, by kind of request (submit, task, put, result); DROP breaks the connection in the middle of an answer.
"""

import json
import re
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

DROP = 0
KEY = "sv=2024&sp=rwl&sig=s3cr3t"
CALLER = "well-known-caller"
STATES = {
    "v3": [("running", "Request received."), ("running", "Check number 1, 1 out of 2 shards have completed")],
    "v4": [("created", "Request received."), ("running", "Check number 1, 1 out of 2 shards have completed")],
}
EXTENSIONS = {"v3": (".jpg", ".jpeg"), "v4": (".jpg", ".jpeg", ".png")}


class BatchServer(ThreadingHTTPServer):
    """The API and the storage; ``submitted`` keeps the accepted requests, ``asked`` counts all requests by kind."""

    def __init__(self, version="v4"):
        super().__init__(("127.0.0.1", 0), Handler)
        self.version, self.host = version, f"http://127.0.0.1:{self.server_port}"
        self.url = f"{self.host}/{version}/camera-trap/detection-batch"
        self.states = [*STATES[version], ("completed", None)]
        self.trouble, self.asked, self.submitted = {}, Counter(), []
        self.files, self.tasks = {}, {}  # by path; states to come by task
        self.lost, self.unreadable, self.num_failed_shards = set(), set(), 0

    def environment(self):
        """Give the variables of a user of this server."""
        return {
            "BATCH_DETECTION_API_URL": self.url,
            "DETECTION_API_CALLER": CALLER,
            "CLASSIFICATION_BLOB_STORAGE_ACCOUNT": self.host,
            "CLASSIFICATION_BLOB_CONTAINER": "lists",
            "CLASSIFICATION_BLOB_CONTAINER_WRITE_SAS": KEY,
            "BATCH_DETECTION_API_SAS_ALPHA": KEY,
        }

    def submit(self, body):
        """Accept a request, or refuse it; give the HTTP status and the answer."""
        if body.get("caller") != CALLER:
            return 401, {"error": "Parameter caller is not supplied or is not on our allowlist."}
        if not body.get("input_container_sas") and not body.get("use_url"):
            return 400, {"error": "input_container_sas with read and list access is a required field"}
        if body.get("model_version") not in (None, "3", "4.1"):
            return 400, {"error": f"model_version {body['model_version']} is not supported."}
        if not re.fullmatch("[A-Za-z0-9_-]{0,92}", body.get("request_name", "")):
            return 400, {"error": f"request_name {body['request_name']} is not allowed"}
        address = urlsplit(body["images_requested_json_sas"])
        names = json.loads(self.files[address.path]) if address.query == KEY else None
        task = str(uuid.uuid4()) if self.version == "v3" else uuid.uuid4().hex
        self.submitted.append(body | {"names": names, "task": task})
        self.tasks[task] = list(self.states)
        return 200, {"request_id": task}

    def status(self, task):
        """Give the next state of a task."""
        if task not in self.tasks:
            return 404, {"error": "Task is not found."}
        states = self.tasks[task]
        state, message = states.pop(0) if len(states) > 1 else states[0]
        if state == "completed" and message is None:
            message = {"num_failed_shards": self.num_failed_shards, "output_file_urls": self.finish(task)}
        status = {"request_status": state, "message": message}
        return 200, {"TaskId": task, "Endpoint": "/request_detections", "Timestamp": "2024Z", "Status": status}

    def finish(self, task):
        """Write the result files of a task where the API would; give their addresses."""
        request = next(each for each in self.submitted if each["task"] == task)
        names = [name for name in request["names"] if name.lower().endswith(EXTENSIONS[self.version])]
        names = [name for name in names if name not in self.lost]
        failed = [name for name in names if name in self.unreadable]
        box = {"category": "1", "conf": 0.9, "bbox": [0.1, 0.2, 0.3, 0.4]}
        images = [
            {"file": name, "max_detection_conf": 0.9, "detections": [box]} for name in names if name not in failed
        ]
        if self.version == "v4":
            folder = f"/batch-api/api_test/job_{task}/{task}"
            images += [{"file": name, "failure": "Failure image access"} for name in failed]
        else:
            folder = f"/async-api-test/{task}/{task}"
        info = {"detector": "megadetector_v4.1", "format_version": "1.0" if self.version == "v3" else "1.1"}
        document = {"info": info, "detection_categories": {"1": "animal", "2": "person"}, "images": images}
        self.files[f"{folder}_detections.json"] = json.dumps(document).encode()
        urls = {"detections": f"{self.host}{folder}_detections.json?{KEY}"}
        if self.version == "v3":
            self.files[f"{folder}_failed_images.json"] = json.dumps(failed).encode()
            urls["failed_images"] = f"{self.host}{folder}_failed_images.json?{KEY}"
        return urls

    def cancel(self, body):
        """Cancel a task, or refuse to."""
        task = body["request_id"]
        if body.get("caller") != CALLER:
            return 401, {"error": "Parameter caller is not supplied or is not on our allowlist."}
        if task not in self.tasks:
            return 404, {"error": "Task is not found."}
        if (state := self.tasks[task][0][0]) not in ("running", "problem"):
            return 400, {"error": f"Task has {state} and cannot be canceled"}
        self.tasks[task] = [("canceled", "Request has been canceled by the user.")]
        return 200, "Canceling signal has been sent."


class Handler(BaseHTTPRequestHandler):
    """Read a request, make the trouble that is due, answer."""

    def do_GET(self):
        path = urlsplit(self.path).path
        if "/task/" in path:
            task = path.rpartition("/")[2]
            self.answer("task", lambda: self.server.status(task))
        elif path.endswith("/supported_model_versions"):
            self.answer("models", lambda: (200, ["4.1", "3"]))
        elif path.endswith("/default_model_version"):
            self.answer("models", lambda: (200, "4.1"))
        elif path in self.server.files and urlsplit(self.path).query == KEY:
            self.answer("result", lambda: (200, self.server.files[path]))
        else:
            self.answer("result", lambda: (404, b"<Error><Code>BlobNotFound</Code></Error>"))

    do_HEAD = do_GET

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Content-Type"] != "application/json":
            self.answer("submit", lambda: (415, {"error": "Body needs to have a JSON mimetype"}))
        elif self.path.endswith("/request_detections"):
            self.answer("submit", lambda: self.server.submit(json.loads(body)))
        elif self.path.endswith("/cancel_request") and self.server.version == "v4":
            self.answer("cancel", lambda: self.server.cancel(json.loads(body)))
        else:
            self.answer("other", lambda: (404, {"error": "no such endpoint"}))

    def do_PUT(self):
        address, body = urlsplit(self.path), self.rfile.read(int(self.headers["Content-Length"]))

        def put():
            if address.query != KEY or self.headers["x-ms-blob-type"] != "BlockBlob":
                return 403, b"<Error><Code>AuthenticationFailed</Code></Error>"
            self.server.files[address.path] = body
            return 201, b""

        self.answer("put", put)

    def answer(self, kind, make):
        self.server.asked[kind] += 1
        trouble = self.server.trouble.get(kind, [])
        status = trouble.pop(0) if trouble else None
        if status:
            self.send(status, {"error": "Too many active jobs, please try again later"})
        else:
            self.send(*make(), cut=status == DROP)

    def send(self, status, content, cut=False):
        data = content if isinstance(content, bytes) else content.encode() if isinstance(content, str) else None
        data = json.dumps(content).encode() if data is None else data
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[: len(data) // 2] if cut else data)
        self.close_connection = True

    def log_message(self, *_):
        pass


@contextmanager
def serving(version="v4") -> Iterator[BatchServer]:
    """Run a server for the time of a ``with`` block."""
    with BatchServer(version) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
