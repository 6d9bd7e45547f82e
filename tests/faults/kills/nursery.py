"""Runs the program in processes that begin in milliseconds: copies of one that has imported it all.

    python -m tests.faults.kills.nursery

Orders come as lines of JSON, each answered by a line. `{"run": [ARGUMENT…], "folder": …,
"settings": {…}, "log": FILE}` begins the command line in a process of its own and gives its id;
`{"wait": ID}` gives how that one ended, as `subprocess` tells it, once it has. At the end of its
orders it ends.
"""

import gc
import importlib
import json
import os
import pkgutil
import sys
import threading
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import digest

LAZY = ("aiosmtplib", "feedparser", "uvicorn", "httpx2", "psycopg", "sqlalchemy.dialects.sqlite")


def main() -> None:
    _import_all()
    _read_templates()
    gc.collect()
    gc.freeze()
    _say("ready")
    for line in sys.stdin:
        order: dict[str, Any] = json.loads(line)
        _say(_wait(order["wait"]) if "wait" in order else _run(order))


def _say(answer: object) -> None:
    sys.stdout.write(f"{answer}\n")
    sys.stdout.flush()


def _import_all() -> None:
    for module in pkgutil.walk_packages(digest.__path__, "digest."):
        if module.name != "digest.__main__":
            importlib.import_module(module.name)
    for name in LAZY:
        importlib.import_module(name)


def _read_templates() -> None:
    """The templates of mails once for all copies, as they take longest of what each would read."""
    from digest.mail import render

    render.environment = lru_cache(render.environment)
    render.Renderer(None, render.Theme()).check()


def _run(order: dict[str, Any]) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        code = _command(order["run"], Path(order["folder"]), order["settings"], order["log"])
    finally:
        os._exit(code)


def _command(arguments: Iterable[str], folder: Path, settings: dict[str, str], log: str) -> int:
    from digest import faultpoints
    from digest.cli import main as command_line

    with Path(log).open("ab", buffering=0) as file, Path(os.devnull).open("rb") as nothing:
        for stream, number in ((nothing, 0), (file, 1), (file, 2)):
            os.dup2(stream.fileno(), number)
    os.chdir(folder)
    for name in [name for name in os.environ if name.startswith("DIGEST_")]:
        del os.environ[name]
    os.environ.update(settings)
    importlib.reload(faultpoints)  # which read the environment when it was imported
    try:
        command_line(list(arguments))
    except SystemExit as exc:
        sys.stdout.flush()
        threading._shutdown()  # type: ignore[attr-defined]  # as the interpreter does at its end
        return exc.code if isinstance(exc.code, int) else 1
    return 0


def _wait(child: int) -> int:
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    main()
