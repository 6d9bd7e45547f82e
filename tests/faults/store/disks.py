"""Small disks of a test's own: a tmpfs that can be filled, freed and turned read-only."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_BLOCK = b"\0" * 4096


class Disk:
    """A mounted folder of a few MB."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self, but_pages: int = 0) -> None:
        """Use up every page that is free, `but_pages` of them."""
        with self._ballast.open("ab", buffering=0) as file:
            for _ in range(self.free_pages - but_pages):
                file.write(_BLOCK)

    def empty(self) -> None:
        """Take away what filled it."""
        self._ballast.unlink(missing_ok=True)

    @property
    def free_pages(self) -> int:
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize // len(_BLOCK)

    def protect(self) -> None:
        """Let nobody write any more, not even root."""
        _run("mount", "-o", "remount,ro", str(self.folder))

    def release(self) -> None:
        """Let everybody write again."""
        _run("mount", "-o", "remount,rw", str(self.folder))


@contextmanager
def small_disk(folder: Path, megabytes: int = 4) -> Iterator[Disk]:
    """A disk of so many MB, mounted at the folder; skips the test where none can be mounted."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0:
        pytest.skip("a disk of our own can be mounted by root alone")
    size = f"size={megabytes}m,mode=700"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "digest-test", str(folder)],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.skip(f"no disk of our own can be mounted: {done.stderr.strip()}")
    try:
        yield Disk(folder)
    finally:
        _run("umount", "--lazy", str(folder))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
