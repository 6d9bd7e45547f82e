"""The web as a role: the pages, what machines ask, and the intake, started and stopped together."""

from collections.abc import Callable

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from digest.app import App
from digest.services.signup import take_in
from digest.web.desk import desk_over
from digest.web.intake import Intake
from digest.web.routes import ALL
from digest.web.server import Server, figures, guarded

log = structlog.get_logger("digest.web")


class _InForce:
    """An application that can be another from one request to the next."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


class Web:
    """Serves the pages of an app; `after` is called when a form led to mails that may be sent."""

    def __init__(
        self,
        app: App,
        after: Callable[[], None] = lambda: None,
        *,
        host: str | None = None,
        port: int | None = None,
    ) -> None:
        """Take the ports, those of the settings where none is given; 0 takes a free one.

        Raises ConfigError when one cannot be had.
        """
        self._app = app
        self._intake = Intake(self._take_in, after)
        desk = desk_over(app, self._intake.wake)
        web = app.settings.web
        self._host = host or web.host
        self._pages, self._figures = _InForce(guarded(desk, ALL)), _InForce(figures(desk))
        self._servers = [Server(self._pages, self._host, web.port if port is None else port)]
        if web.metrics_port:
            self._servers.append(Server(self._figures, self._host, web.metrics_port))
        self._window = desk.window

    @property
    def port(self) -> int:
        """Where the pages are served."""
        return self._servers[0].port

    def start(self) -> None:
        """Answer from now on; the papers of the day follow when they are read."""
        self._window.start()
        self._intake.start()
        for server in self._servers:
            server.start()
        log.info("serving", host=self._host, port=self.port, site=self._app.settings.site.url)

    def renew(self, app: App) -> None:
        """Answer by another app's settings from the next request on; the ports stay."""
        desk = desk_over(app, self._intake.wake)
        if desk.window is not self._window:
            old, self._window = self._window, desk.window
            self._window.start()
            old.stop()
        self._app = app
        self._pages.app, self._figures.app = guarded(desk, ALL), figures(desk)

    def stop(self) -> None:
        """Answer what was asked, and take no more; what waits in the store stays there."""
        for server in self._servers:
            server.stop()
        self._intake.stop(timeout_s=10)
        self._window.stop()

    def _take_in(self) -> int:
        done = take_in(self._app.engine, self._app.keys, self._app.clock())
        return done.taken
