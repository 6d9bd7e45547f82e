"""`make lock`: write deploy/requirements*.txt, every file of every package by its hash.

pip itself is asked, once for each kind of host, which file it would install of each version that
constraints.txt names; nothing is downloaded for that but what packages say of themselves. Older
and newer systems may be given different files, so each kind is asked for twice.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from itertools import product
from pathlib import Path

from packaging.utils import canonicalize_name

from tests.supply.packages import DEPLOYED, PROJECT, ROOT, TARGETS, Target, needed, pins

RUNTIME = ROOT / "deploy" / "requirements.txt"
BUILD = ROOT / "deploy" / "requirements-build.txt"
# The C libraries of RHEL 8 and of a system newer than any (PEP 600): pip prefers the newest it may.
GLIBC = (28, 50)
# Published without wheels for these machines; there pip builds them from their source.
FROM_SOURCE = {"wordllama": ("aarch64",)}
LEGACY = ("manylinux2014", "manylinux2010", "manylinux1")
ABOUT = {
    RUNTIME: (
        f"What '{PROJECT}[{','.join(DEPLOYED)}]' needs on Linux with glibc, Python 3.11 to 3.13,",
        "x86_64 and aarch64: pip takes no file but these. Made by 'make lock' of constraints.txt.",
        "Use: pip install --require-hashes -r deploy/requirements.txt",
    ),
    BUILD: (
        "What building the program's own wheel needs, by hash. Made by 'make lock' from",
        "constraints.txt. Use: pip install --require-hashes -r deploy/requirements-build.txt",
    ),
}


def write() -> None:
    """Ask the index, and write both files. Raises SystemExit where it lacks something."""
    wanted = {
        RUNTIME: {name for target in TARGETS for name in needed(PROJECT, DEPLOYED, target)},
        BUILD: {name for target in TARGETS for name in needed("hatchling", (), target)}
        | {"hatchling"},
    }
    known = pins()
    every = set[str]().union(*wanted.values())
    found: dict[str, set[str]] = defaultdict(set)
    for target, glibc in product(TARGETS, GLIBC):
        there = sorted(name for name in every if target.machine not in FROM_SOURCE.get(name, ()))
        for name, digest in wheels([known[one] for one in there], target, glibc):
            found[name].add(digest)
    for name in sorted(every & FROM_SOURCE.keys()):
        found[name] |= {digest for _, digest in asked([known[name]], "--no-binary", name)}
    for path, names in wanted.items():
        path.write_text(
            page(path, [(known[name], found[name]) for name in sorted(names)]), encoding="utf-8"
        )


def page(path: Path, pinned: Iterable[tuple[str, Iterable[str]]]) -> str:
    """The file: each pin with its hashes, in the order of their names."""
    lines = [f"# {line}" for line in ABOUT[path]]
    for pin, digests in pinned:
        options = [f"    --hash=sha256:{digest}" for digest in sorted(digests)]
        lines.append(" \\\n".join([pin, *options]))
    return "\n".join(lines) + "\n"


def wheels(lines: list[str], target: Target, glibc: int) -> list[tuple[str, str]]:
    """Name and SHA-256 of the wheels that pip would install there."""
    place = ("--implementation", "cp", "--python-version", target.python)
    return asked(lines, "--only-binary", ":all:", *place, *_platforms(target.machine, glibc))


def asked(lines: list[str], *options: str) -> list[tuple[str, str]]:
    """Name and SHA-256 of the files that pip would install with these options."""
    with tempfile.TemporaryDirectory() as folder:
        wanted, said = Path(folder) / "wanted", Path(folder) / "said"
        wanted.write_text("\n".join(lines), encoding="utf-8")
        command = [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--no-deps"),
            *("--ignore-installed", "--target", folder, "--report", str(said)),
            *(*options, "-r", str(wanted)),
        ]
        subprocess.run(command, check=True, env=_environment())
        return [_file(one) for one in json.loads(said.read_text(encoding="utf-8"))["install"]]


def _environment() -> dict[str, str]:
    """Ours without places on this machine, whose files may have been built here."""
    aside = ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL")
    kept = {name: value for name, value in os.environ.items() if name not in aside}
    return kept | {"PIP_CONFIG_FILE": os.devnull}


def _file(one: dict[str, dict[str, object]]) -> tuple[str, str]:
    """The file of one package in pip's report (its "installation report", version 1)."""
    name, where = str(one["metadata"]["name"]), one["download_info"]
    if not str(where["url"]).startswith("https://"):
        raise SystemExit(f"{name} comes from {where['url']}, and not from an index")
    archive = where["archive_info"]
    assert isinstance(archive, dict)
    return canonicalize_name(name), str(archive["hashes"]["sha256"])


def _platforms(machine: str, glibc: int) -> list[str]:
    names = [f"manylinux_2_{minor}_{machine}" for minor in range(glibc, 4, -1)]
    names += [f"{name}_{machine}" for name in LEGACY]
    return [part for name in (*names, f"linux_{machine}") for part in ("--platform", name)]


if __name__ == "__main__":
    write()
