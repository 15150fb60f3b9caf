"""The service's application: photos that are answered at once, the batch endpoints, errors as JSON."""

import asyncio
from concurrent.futures.process import BrokenProcessPool
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from camtraps.service import batch, bodies, protocol
from camtraps.service.protocol import PREFIX, Refusal
from camtraps.service.shared import Service

CALLER = "caller"  # header of a request that is answered at once
LOCAL = ("localhost", "127.0.0.1", "::1")


def make(service: Service) -> FastAPI:
    """Make the application."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_exception_handler(Refusal, lambda _, error: _error(error.status, str(error)))
    app.add_exception_handler(HTTPException, lambda _, error: _error(error.status_code, _no_endpoint(error)))
    app.add_exception_handler(Exception, lambda _, error: _error(500, "the service has failed; see its log"))

    @app.middleware("http")
    async def refuse_other_names(request: Request, go_on: Any) -> Response:
        # A page of the web whose name is made to lead to this machine must not talk to a service that is local.
        if service.is_local and urlsplit(f"//{request.headers.get('host', '')}").hostname not in LOCAL:
            return _error(400, "this service answers to localhost only")
        answer: Response = await go_on(request)
        return answer

    _add_photos(app, service)
    app.include_router(batch.router(service))
    return app


def _add_photos(app: FastAPI, service: Service) -> None:
    @app.get("/")
    def about() -> dict[str, Any]:
        return {
            "service": "camtraps",
            "classify": "POST /classify",
            "batch": PREFIX,
            "waiting": len(service.queue.open()),
        }

    @app.post("/classify")
    async def classify(request: Request) -> JSONResponse:
        if service.callers:
            protocol.check_caller(request.headers.get(CALLER), service.callers)
        items = await bodies.items(request, service.limits)
        if not 0 < len(items) <= service.limits.max_photos:
            raise Refusal(400, f"expected 1 to {service.limits.max_photos:,} photos, got {len(items):,}")
        try:
            async with asyncio.timeout(service.limits.timeout):
                entries = await asyncio.wrap_future(service.worker.submit(items))
        except TimeoutError:
            raise Refusal(503, "the answer took too long; try again later, or with fewer photos") from None
        except BrokenProcessPool:
            raise Refusal(500, "the process that looked at the photos died") from None
        return JSONResponse(service.worker.frame | {"images": entries})


def _error(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": message}, status)


def _no_endpoint(error: HTTPException) -> str:
    return "no such endpoint" if error.status_code == 404 else str(error.detail)
