"""Deployments install what constraints.txt names, file by file, under licences that are told."""

import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.supply import licences, lock
from tests.supply.packages import (
    DEPLOYED,
    PROJECT,
    ROOT,
    TARGETS,
    Target,
    hashes,
    needed,
    pins,
)

FILES = {lock.RUNTIME: (PROJECT, DEPLOYED), lock.BUILD: ("hatchling", ())}
OUT_OF_REACH = re.compile(r"No matching distribution found|ConnectionError|NewConnectionError")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_package_stands_there_in_the_version_of_the_constraints(path: Path) -> None:
    project, extras = FILES[path]
    own = {project} - {PROJECT}
    wanted = own | {name for target in TARGETS for name in needed(project, extras, target)}
    known = pins()
    found = {name: pin for name, (pin, _) in hashes(path).items()}
    assert found == {name: known[name] for name in wanted}, "run 'make lock'"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file_is_as_it_is_made(path: Path) -> None:
    there = hashes(path)
    assert all(re.fullmatch(r"[0-9a-f]{64}", one) for _, every in there.values() for one in every)
    assert path.read_text(encoding="utf-8") == lock.page(path, there.values())


def test_compiled_packages_have_a_file_for_each_kind_of_host() -> None:
    there = hashes(lock.RUNTIME)
    for name in ("numpy", "scipy", "llvmlite", "cryptography", "psycopg-binary"):
        stable = "abi3" in (importlib.metadata.distribution(name).read_text("WHEEL") or "")
        kinds = len({target.machine for target in TARGETS}) if stable else len(TARGETS)
        assert len(there[name][1]) >= kinds, name


def test_needs_are_followed_through_extras_and_markers() -> None:
    new, old = Target(python="3.13", machine="x86_64"), Target(python="3.11", machine="aarch64")
    assert {"psycopg", "psycopg-binary", "sqlalchemy"} <= needed(PROJECT, ("postgres",), new)
    assert not {"psycopg", "numba", "wordllama"} & needed(PROJECT, (), old)
    assert {"numba", "llvmlite"} <= needed(PROJECT, ("scale",), old)
    assert "pytest" not in needed(PROJECT, DEPLOYED, new)


@pytest.mark.slow
def test_pip_takes_the_files_by_their_hashes(tmp_path: Path) -> None:
    # pure Python and small: the whole set is some 200 MB, which `make soak` fetches
    every = os.environ.get("DIGEST_TEST_INSTALL") == "all"
    some = hashes(lock.RUNTIME) if every else hashes(lock.BUILD)
    wanted = tmp_path / "wanted.txt"
    wanted.write_text(lock.page(lock.BUILD, some.values()), encoding="utf-8")
    done = installed(wanted)
    if done.returncode and OUT_OF_REACH.search(done.stderr):
        pytest.skip("no package index is in reach")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.partition("Would install ")[2].split()) == len(some)
    (one, *_) = next(iter(some.values()))[1]
    other = ("0" if one[0] != "0" else "1") + one[1:]
    wanted.write_text(wanted.read_text(encoding="utf-8").replace(one, other), encoding="utf-8")
    refused = installed(wanted)
    assert refused.returncode != 0
    assert "DO NOT MATCH THE HASHES" in refused.stderr


def installed(wanted: Path) -> subprocess.CompletedProcess[str]:
    """What pip says to installing these requirements by their hashes, which it does not do."""
    command = ["-m", "pip", "install", "--dry-run", "--ignore-installed", "--no-deps"]
    return subprocess.run(
        [sys.executable, *command, "--require-hashes", "--retries", "1", "-r", str(wanted)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )


# What asks something of who passes it on; docs/licences.md says of each what.
CONDITIONS = {"psycopg", "psycopg-binary", "certifi", "tqdm"}


def test_every_licence_is_known_and_none_comes_as_a_surprise() -> None:
    told = {name: licences.licence(name) for name in licences.names()}
    assert [name for name, text in told.items() if not text] == []
    strict = {name for name, text in told.items() if licences.COPYLEFT.search(text)}
    assert strict == CONDITIONS, "look at what these ask for, and say so in docs/licences.md"


def test_licences_with_conditions_are_recognised() -> None:
    strict = ("LGPL-3.0-only", "AGPL-3.0-or-later", "GPL-2.0", "MPL-2.0 AND MIT", "EPL-2.0")
    assert all(licences.COPYLEFT.search(text) for text in (*strict, "CC-BY-SA-4.0"))
    lenient = ("MIT", "Apache-2.0 WITH LLVM-exception", "BSD License", "PSF-2.0", "Unlicense")
    assert not any(licences.COPYLEFT.search(text) for text in lenient)
