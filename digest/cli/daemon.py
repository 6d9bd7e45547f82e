"""`digest run`: the daemon."""

from digest.cli.context import open_app


def run() -> None:
    """Collect, compose and send, each subscriber at their own hour, until told to stop.

    Serves the web pages too; 'digest worker' does the same without them. SIGTERM finishes the
    messages in flight first, SIGHUP reads the settings again. Example: digest run
    """
    run_daemon(pages=True)


def run_daemon(*, pages: bool) -> None:
    """Run the daemon until it is told to stop."""
    from digest.daemon import Daemon
    from digest.errors import ConfigError, WeightsError
    from digest.logs import configure
    from digest.services.memory import few_arenas
    from digest.store.database import scrub

    few_arenas()
    app = open_app()
    configure(app.settings.log.level, app.settings.log.format)
    scrub(app.engine)  # a crash may have come between an erase and this
    app.engine.dispose()  # a store that is not ours, or is not there, ends it here
    app.mailroom.check()
    try:
        Daemon(app, pages=pages).run()
    except WeightsError as exc:  # no start in a loop would mend it: as wrong config
        raise ConfigError(str(exc)) from exc
