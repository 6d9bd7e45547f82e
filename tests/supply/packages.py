"""Which packages an install brings along, and of which versions: by constraints.txt."""

import importlib.metadata
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
CONSTRAINTS = ROOT / "constraints.txt"
PROJECT = "trending-papers-digest"
DEPLOYED = ("postgres", "scale", "semantic")
PYTHONS = ("3.11", "3.12", "3.13")
MACHINES = ("x86_64", "aarch64")


@dataclass(frozen=True, kw_only=True)
class Target:
    """A kind of host: a minor version of Python, a kind of processor."""

    python: str
    machine: str

    def markers(self) -> dict[str, str]:
        """What environment markers ask for (PEP 508); of a version's first and last release alike,
        for none of ours asks for more.
        """
        return {
            "python_version": self.python,
            "python_full_version": f"{self.python}.9",
            "implementation_version": f"{self.python}.9",
            "platform_machine": self.machine,
            "sys_platform": "linux",
            "os_name": "posix",
            "platform_system": "Linux",
            "implementation_name": "cpython",
            "platform_python_implementation": "CPython",
        }


TARGETS = [Target(python=one, machine=kind) for kind in MACHINES for one in PYTHONS]


def pins() -> dict[str, str]:
    """The lines of constraints.txt, by the normalised name."""
    lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(line.partition("==")[0]): line for line in kept}


def needed(project: str, extras: tuple[str, ...], target: Target) -> set[str]:
    """The normalised names of all that `project[extras]` needs there, without itself, as the
    installed packages say.
    """
    seen = set[tuple[str, tuple[str, ...]]]()
    todo = [(canonicalize_name(project), tuple(sorted(extras)))]
    while todo:
        one = todo.pop()
        if one not in seen:
            seen.add(one)
            todo += _requires(*one, target.markers())
    return {name for name, _ in seen} - {canonicalize_name(project)}


def _requires(
    name: str, extras: tuple[str, ...], markers: Mapping[str, str]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    for wanted in _wanted(name):
        if wanted.marker is None or any(
            wanted.marker.evaluate({**markers, "extra": extra}) for extra in ("", *extras)
        ):
            yield canonicalize_name(wanted.name), tuple(sorted(wanted.extras))


@cache
def _wanted(name: str) -> tuple[Requirement, ...]:
    return tuple(Requirement(line) for line in importlib.metadata.requires(name) or ())


def hashes(path: Path) -> dict[str, tuple[str, list[str]]]:
    """A file of requirements with hashes: the pin and its hashes, by the normalised name."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            pin, *options = line.split()
            name = canonicalize_name(re.split(r"==", pin)[0])
            found[name] = (pin, [one.removeprefix("--hash=sha256:") for one in options])
    return found
