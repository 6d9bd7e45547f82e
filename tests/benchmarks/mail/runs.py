"""Senders as processes: ours by the command line, others by their scripts; what each run cost."""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from tests.benchmarks.mail.servers import ROOT, Missing, tool
from tests.benchmarks.mail.world import DUE, PEPPER, SECRET, SENDER, SITE, sent

SELECTOR = "bench"
LEASE = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Messages, the CPU-seconds (user and system) of all worker processes, and seconds of wall."""

    messages: int
    cpu_s: float
    wall_s: float
    size: float = 0.0  # mean octets of a message, where it was asked

    @property
    def per_cpu_s(self) -> float:
        return self.messages / max(self.cpu_s, 1e-9)

    @property
    def per_s(self) -> float:
        return self.messages / max(self.wall_s, 1e-9)


def told(what: str, cost: Cost) -> None:
    size = f"{cost.size / 1024:6.1f} KB" if cost.size else " " * 9
    print(
        f"{what:52}{cost.messages:7,}{size} {cost.cpu_s / cost.messages * 1e3:8.2f} ms CPU"
        f" {cost.per_cpu_s:9,.0f}/CPU-s {cost.per_s:9,.0f}/s"
    )


def environment(store: str, port: int, folder: Path, connections: int, key: Path) -> dict[str, str]:
    """The settings of a run of ours over that store, to that relay, signing with that key."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("DIGEST_")}
    settings = {
        "STORE__URL": store,
        "SECRET_KEYS": SECRET,
        "PEPPER": PEPPER,
        "SENDER__ADDRESS": SENDER,
        "SITE__URL": SITE,
        "SMTP__HOST": "127.0.0.1",
        "SMTP__PORT": str(port),
        "SMTP__SECURITY": "none",
        "SMTP__CONNECTIONS": str(connections),
        "DKIM__DOMAIN": SENDER.partition("@")[2],
        "DKIM__SELECTOR": SELECTOR,
        "DKIM__KEY_FILE": str(key),
    }
    named = {f"DIGEST_{name}": value for name, value in settings.items()}
    return kept | named | {"XDG_CONFIG_HOME": str(folder), "PYTHONPATH": str(ROOT)}


def deliver(settings: dict[str, str], folder: Path, processes: int) -> Cost:
    """`digest deliver` to its end; messages are not counted."""
    command = [*DELIVER, "--processes", str(processes)]
    cpu, began = children_cpu_s(), time.perf_counter()
    ended = subprocess.run(
        command, env=settings, cwd=folder, capture_output=True, text=True, check=False
    )
    wall = time.perf_counter() - began
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return Cost(messages=0, cpu_s=children_cpu_s() - cpu, wall_s=wall)


DELIVER = (sys.executable, "-m", "digest", "deliver", "--now", DUE.isoformat())


def delivered(settings: dict[str, str], folder: Path, processes: int) -> Cost:
    """A ledger sent to its end, less what a run over the then empty queue takes."""
    busy = deliver(settings, folder, processes)
    idle = [deliver(settings, folder, processes) for _ in range(2)]
    return Cost(
        messages=sent(settings["DIGEST_STORE__URL"]),
        cpu_s=busy.cpu_s - min(one.cpu_s for one in idle),
        wall_s=busy.wall_s - min(one.wall_s for one in idle),
    )


def children_cpu_s() -> float:
    """CPU-seconds of all children that have ended, theirs included."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def node() -> tuple[str, Path]:
    """The interpreter and the folder of its modules."""
    modules = Path(os.environ.get("DIGEST_TEST_NODE", ROOT / ".venv" / "node"))
    if not (modules / "node_modules" / "nodemailer").is_dir():
        raise Missing(f"nodemailer is not installed in {modules.name} (DIGEST_TEST_NODE)")
    return tool("node"), modules


def obvious(*arguments: object) -> list[str]:
    """The command of Jinja2 + EmailMessage + dkimpy + aiosmtplib."""
    return [sys.executable, "-m", "tests.benchmarks.mail.obvious", *map(str, arguments)]


def ready(way: str, *arguments: object) -> list[str]:
    """The command that sends ready mails, by `aiosmtplib` or by our `relay`."""
    return [sys.executable, "-m", "tests.benchmarks.mail.ready", way, *map(str, arguments)]


def nodemailer(*arguments: object) -> list[str]:
    """The command of nodemailer, pooled, composing and signing."""
    interpreter, modules = node()
    script = Path(__file__).with_name("pooled.cjs")
    return [interpreter, str(script), str(modules), *map(str, arguments)]


def side_by_side(commands: Sequence[Sequence[str]]) -> Cost:
    """Scripts at the same time, each of which ends with a line of JSON about its own sending."""
    running = [subprocess.Popen(c, cwd=ROOT, stdout=subprocess.PIPE, text=True) for c in commands]
    said = [process.communicate()[0] for process in running]
    assert all(process.returncode == 0 for process in running), said
    found = [json.loads(lines.splitlines()[-1]) for lines in said]
    messages = sum(one["messages"] for one in found)
    return Cost(
        messages=messages,
        cpu_s=sum(one["cpu_s"] for one in found),
        wall_s=max(one["wall_s"] for one in found),
        size=sum(one["messages"] * one["size"] for one in found) / messages,
    )
