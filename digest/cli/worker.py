"""`digest worker`: the daemon without web pages, for many hosts on one store."""

from digest.cli.daemon import run_daemon


def worker() -> None:
    """Do what 'digest run' does, without the web pages: as many hosts as wanted, on one PostgreSQL.

    Sources are asked by one host at a time; digests and mails are shared out. The pages are served
    by 'digest web'. SIGTERM finishes the messages in flight first, SIGHUP reads the settings again.
    Example: digest worker
    """
    run_daemon(pages=False)
