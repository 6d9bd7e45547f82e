"""The step that looks for what a person should see, and tells them."""

from collections.abc import Callable

from digest.app import App

LOOK_S = 300.0


def alerting(app: App, _stop: Callable[[], bool]) -> None:
    """Look once; what is news goes to the log, and to the operator's address where one is set."""
    from digest.services.alerts import look
    from digest.watching import watch_of

    look(watch_of(app), app.clock())
