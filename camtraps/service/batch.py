"""The endpoints of the Batch Detection API, version 4."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, PlainTextResponse

from camtraps.service import bodies, protocol
from camtraps.service.limits import Forbidden, check_uri
from camtraps.service.protocol import PREFIX, Refusal
from camtraps.service.queue import State
from camtraps.service.shared import Service


def router(service: Service) -> APIRouter:
    """Make the endpoints."""
    made = APIRouter(prefix=PREFIX)

    @made.post("/request_detections")
    async def request_detections(request: Request) -> dict[str, str]:
        asked = protocol.read_request(await _body(request, service), service.versions)
        _check_uri("input_container_sas", asked.container, service)
        _check_uri("images_requested_json_sas", asked.photos, service)
        return {"request_id": service.queue.submit(asked)}

    @made.get("/task/{task}")
    def task(task: str, request: Request) -> dict[str, Any]:
        found, state = _task(task, service)
        message: Any = state.message
        if state.results:
            base = service.url or str(request.base_url).rstrip("/")
            address = f"{base}{PREFIX}/results/job_{found}/{state.results}"
            message = {"num_failed_shards": state.num_failed_shards, "output_file_urls": {"detections": address}}
        status = {"request_status": state.status, "message": message}
        return {"TaskId": found, "Endpoint": f"{PREFIX}/request_detections", "Timestamp": state.time, "Status": status}

    @made.get("/results/job_{task}/{name}")
    def results(task: str, name: str) -> FileResponse:
        found, state = _task(task, service)
        if not state.results or name != state.results:
            raise Refusal(404, "no such results")
        return FileResponse(service.queue.folder(found) / state.results, media_type="application/json")

    @made.post("/cancel_request")
    async def cancel_request(request: Request) -> PlainTextResponse:
        body = await _body(request, service)
        service.queue.cancel(_id(body.get("request_id")))
        return PlainTextResponse("Canceling signal has been sent.")

    @made.get("/supported_model_versions")
    def supported_model_versions() -> list[str]:
        return service.versions

    @made.get("/default_model_version")
    def default_model_version() -> PlainTextResponse:
        return PlainTextResponse(service.versions[0])

    return made


async def _body(request: Request, service: Service) -> dict[str, Any]:
    """Read the JSON object of a request, and check who sends it."""
    if bodies.kind_of(request) != "application/json":
        raise Refusal(415, "Body needs to have a JSON mimetype (e.g., application/json).")
    body = bodies.parsed(await bodies.body(request, service.limits))
    if not isinstance(body, dict):
        raise Refusal(400, f"expected a JSON object, got {type(body).__name__}")
    protocol.check_caller(body.get("caller"), service.callers)
    return body


def _check_uri(key: str, uri: str, service: Service) -> None:
    try:
        if uri:
            check_uri(uri, service.limits)
    except Forbidden as error:
        raise Refusal(400, f"{key}: the address {error}") from None


def _task(task: str, service: Service) -> tuple[str, State]:
    found = _id(task)
    state = service.queue.state(found)
    if state is None:
        raise Refusal(404, "Task is not found.")
    return found, state


def _id(task: Any) -> str:
    """Give a task's id as folders are named: 32 digits, without the dashes that may be in it."""
    plain = task.replace("-", "").lower() if isinstance(task, str) else ""
    if len(plain) != 32 or not all(letter in "0123456789abcdef" for letter in plain):
        raise Refusal(404, "Task is not found.")
    return plain
