"""The ceiling: a plain page under uvicorn. `python -m tests.benchmarks.web.hello PORT`."""

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route


def hello(_request: Request) -> HTMLResponse:
    return HTMLResponse("<!doctype html><title>Hello</title><p>Hello")


app = Starlette(routes=[Route("/", hello, methods=["GET", "POST"])])

if __name__ == "__main__":
    uvicorn.run(
        app, host="127.0.0.1", port=int(sys.argv[1]), http="httptools", loop="asyncio",
        log_level="warning", access_log=False,
    )  # fmt: skip
