"""Puts an application together, and serves it from a thread."""

import socket
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import structlog
import uvicorn
from anyio.to_thread import current_default_thread_limiter
from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from digest.errors import ConfigError
from digest.web import health
from digest.web.desk import Desk
from digest.web.errors import HANDLERS, too_much
from digest.web.guards import Guards
from digest.web.patience import MESSAGE_S, patient, room_for_connections

log = structlog.get_logger("digest.web")

# More threads than cores only help while some wait for the store, which writes one at a time.
THREADS = 8
KEEP_ALIVE_S = 15
_BACKLOG = 256


def guarded(desk: Desk, routes: Sequence[BaseRoute]) -> ASGIApp:
    """These routes and what machines ask, with the guards before them.

    /metrics is among them only where it has no port of its own.
    """
    web = desk.settings.web
    own = [r for r in health.routes if not (web.metrics_port and r.path == "/metrics")]
    app = _application(desk, [*own, *routes])
    too_large = partial(too_much, desk)
    networks, site = web.trusted_proxies, desk.site.url
    return Guards(app, networks, site, most=web.concurrency, too_large=too_large)


def figures(desk: Desk) -> ASGIApp:
    """What machines ask, alone, for a port of its own."""
    return _application(desk, health.routes)


def _application(desk: Desk, routes: Sequence[BaseRoute]) -> Starlette:
    app = Starlette(routes=routes, exception_handlers=HANDLERS, lifespan=_few_threads)
    # it would lead to the host that a request names, and a one-click opt-out must not be redirected
    # (RFC 8058 §3.1): the guards let a slash at the end pass instead
    app.router.redirect_slashes = False
    app.state.desk = desk
    return app


@asynccontextmanager
async def _few_threads(_app: Starlette) -> AsyncIterator[None]:
    current_default_thread_limiter().total_tokens = THREADS
    yield


class Server:
    """An application behind a port, in a thread of its own."""

    def __init__(
        self,
        app: ASGIApp,
        host: str,
        port: int,
        *,
        most: int | None = None,
        message_s: float = MESSAGE_S,
    ) -> None:
        """Take the port; nothing is answered before `start`. `port` 0 takes a free one. `most`
        connections may be open at once, None: as many as the process can have; a request may take
        `message_s` seconds to come.

        Raises ConfigError when it cannot be had.
        """
        self._socket = _listening(host, port)
        config = uvicorn.Config(
            app,
            http=patient(most or room_for_connections(_BACKLOG), message_s),
            ws="none",
            loop="asyncio",
            log_config=None,
            access_log=False,  # it would hold tokens: the guards write one without
            server_header=False,
            proxy_headers=False,  # the guards alone judge whose word is taken
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=10,
            backlog=_BACKLOG,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, name="web", daemon=True)

    @property
    def port(self) -> int:
        """The port that was taken."""
        port: int = self._socket.getsockname()[1]
        return port

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self, timeout_s: float = 15.0) -> None:
        """Answer what was asked, take no more, and end."""
        self._server.should_exit = True
        self._thread.join(timeout_s)
        self._socket.close()

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as exc:
        raise ConfigError(
            f"the pages cannot be served at {host} port {port}: {exc}; set web.host or web.port"
        ) from exc
