"""Hosts of their own on this machine: network namespaces, each with one cable to a common switch.

The switch is a bridge in a namespace too, so that the machine's own network sees nothing of it. All
names are of this run alone, and everything ends with it: processes by their id, namespaces by name.
"""

import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NETWORK = "10.77.0"
TOOLS = ("ip", "setpriv")


class NoHosts(Exception):
    """No namespaces can be made here; the text says why."""


@dataclass(kw_only=True)
class Running:
    """A program on a host, in a process group of its own."""

    process: subprocess.Popen[bytes]

    def tell(self, number: signal.Signals) -> None:
        """To all of its processes."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """At once, and wait for its end."""
        self.tell(signal.SIGKILL)
        self.process.wait()

    def end(self, number: signal.Signals = signal.SIGTERM, patience_s: float = 20) -> None:
        """Ask it to end, by a signal to its first process; killed if that takes too long."""
        with suppress(ProcessLookupError):
            self.process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(patience_s)
        self.kill()


@dataclass(frozen=True, kw_only=True)
class Host:
    """One namespace; its end of the cable is eth0, the switch's is named like the role."""

    role: str
    name: str
    switch: str
    address: str
    _started: list[Running] = field(default_factory=list, repr=False)

    def start(
        self,
        command: Sequence[str | Path],
        *,
        settings: Mapping[str, str],
        folder: Path,
        log: Path,
    ) -> Running:
        """Start a program here; `settings` are further ones of its environment."""
        with log.open("ab") as file:
            process = subprocess.Popen(
                ["ip", "netns", "exec", self.name, *map(str, command)],
                cwd=folder,
                env=_environment() | dict(settings),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        running = Running(process=process)
        self._started.append(running)
        return running

    def cut(self) -> None:
        """Pull the cable: both ends see that there is none."""
        _ip("-n", self.name, "link", "set", "eth0", "down")

    def mend(self) -> None:
        """Put the cable back."""
        _ip("-n", self.name, "link", "set", "eth0", "up")

    def swallow(self) -> None:
        """Let the switch drop every packet from and to here; nobody is told of it."""
        _ip("-n", self.switch, "link", "set", self.role, "nomaster")

    def pass_on(self) -> None:
        """Let the switch pass packets on again."""
        _ip("-n", self.switch, "link", "set", self.role, "master", "bridge")

    def listens(self, port: int) -> Callable[[], bool]:
        """Asks whether somebody listens on that port here."""
        listing = ["ip", "netns", "exec", self.name, "cat", "/proc/net/tcp"]

        def listens() -> bool:
            said = subprocess.run(listing, check=True, capture_output=True, text=True).stdout
            return any(_is_listener(line.split(), port) for line in said.splitlines()[1:])

        return listens


@contextmanager
def network(roles: Sequence[str]) -> Iterator[dict[str, Host]]:
    """A host for each role, `NETWORK.1` and so on, until the block ends; raises NoHosts."""
    _require()
    run = f"digest-{os.getpid()}-{secrets.token_hex(3)}"
    switch = f"{run}-switch"
    hosts = {
        role: Host(role=role, name=f"{run}-{role}", switch=switch, address=f"{NETWORK}.{number}")
        for number, role in enumerate(roles, start=1)
    }
    with _guarded([switch, *(host.name for host in hosts.values())]):
        _ip("netns", "add", switch)
        _ip("-n", switch, "link", "add", "bridge", "type", "bridge")
        _ip("-n", switch, "link", "set", "bridge", "up")
        for host in hosts.values():
            _ip("netns", "add", host.name)
            _connect(host)
        try:
            yield hosts
        finally:
            for running in (running for host in hosts.values() for running in host._started):
                running.kill()


@contextmanager
def _guarded(names: Sequence[str]) -> Iterator[None]:
    """These namespaces are taken away at the end, and if this process does not live to see it."""
    guardian = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.guardian", *names],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield
    finally:
        guardian.communicate()


def _environment() -> dict[str, str]:
    """Ours without the project's settings, and those of the tests are among them."""
    return {name: value for name, value in os.environ.items() if not name.startswith("DIGEST_")}


def _is_listener(fields: Sequence[str], port: int) -> bool:
    """Of a line of /proc/net/tcp (proc(5)): the local address is second, the state fourth."""
    return fields[1].endswith(f":{port:04X}") and fields[3] == "0A"


def _require() -> None:
    if os.geteuid() != 0:
        raise NoHosts("only root makes network namespaces")
    if missing := [tool for tool in TOOLS if not shutil.which(tool)]:
        raise NoHosts(f"not installed: {', '.join(missing)}")


def _connect(host: Host) -> None:
    cable = ("link", "add", host.role, "type", "veth", "peer", "name", "eth0", "netns", host.name)
    _ip("-n", host.switch, *cable)
    _ip("-n", host.switch, "link", "set", host.role, "master", "bridge", "up")
    _ip("-n", host.name, "address", "add", f"{host.address}/24", "dev", "eth0")
    for link in ("lo", "eth0"):
        _ip("-n", host.name, "link", "set", link, "up")


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise NoHosts(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
