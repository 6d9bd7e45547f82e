"""What machines ask: whether the process lives, whether it can work, and its figures."""

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from digest.errors import StoreError
from digest.store.version import is_usable
from digest.web.desk import desk_of
from digest.web.metrics import TYPE, exposition


def healthz(_request: Request) -> Response:
    """The process answers; nothing else is asked."""
    return PlainTextResponse("ok\n")


def readyz(request: Request) -> Response:
    """200 when the store answers with a schema that this program can use, else 503: what lacks."""
    desk = desk_of(request)
    ready = {"store": is_usable(desk.engine), "papers": desk.window.ready}
    return JSONResponse(ready, 200 if ready["store"] else 503)


def metrics(request: Request) -> Response:
    """The figures in Prometheus' text format."""
    desk = desk_of(request)
    try:
        return Response(exposition(desk.engine, desk.clock()), media_type=TYPE)
    except StoreError as exc:
        return PlainTextResponse(f"the store cannot be read: {exc}\n", 503)


routes = [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]
