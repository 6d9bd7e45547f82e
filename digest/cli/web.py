"""`digest web`: the pages alone."""

from typing import Annotated

import typer

from digest.cli.context import open_app


def web(
    host: Annotated[
        str | None, typer.Option("--host", help="The address to serve at; else web.host.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--port", min=0, max=65535, help="The port; 0 takes a free one. Else web.port."
        ),
    ] = None,
) -> None:
    """Serve the web pages until told to stop: sign-up, settings, archive, one-click opt-out.

    SIGHUP reads the settings again. Mails are sent by 'digest run' or 'digest deliver'.
    Example: digest web --port 8080
    """
    import signal

    from digest.daemon.reload import reread
    from digest.daemon.signals import LOOK_S, Told
    from digest.logs import configure
    from digest.web.role import Web

    app = open_app()
    app.engine.dispose()  # a store that is not ours, or is not there, ends it here
    configure(app.settings.log.level, app.settings.log.format)
    role = Web(app, host=host, port=port)
    told = Told()
    told.listen(signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    role.start()
    while (came := told.within(LOOK_S)) in (None, signal.SIGHUP):
        if came and (fresh := reread(app)) is not app:
            app = fresh
            role.renew(app)
    role.stop()
