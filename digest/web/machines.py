"""What machines ask of a process that serves no pages."""

from digest.app import App
from digest.web.desk import desk_over
from digest.web.server import Server, figures


def machines(app: App) -> Server | None:
    """Answers /healthz, /readyz and /metrics at `web.metrics_port` once it is started; None where
    that is 0.

    Raises ConfigError when the port cannot be had.
    """
    web = app.settings.web
    if not web.metrics_port:
        return None
    return Server(figures(desk_over(app)), web.host, web.metrics_port)
