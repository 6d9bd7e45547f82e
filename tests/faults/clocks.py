"""Clocks that are wrong, by libfaketime: of one process alone.

What counts on steadily (CLOCK_MONOTONIC, CLOCK_BOOTTIME) is left as it is: neither a person nor NTP
sets these.
"""

from dataclasses import dataclass
from pathlib import Path

LIBRARY = "faketime/libfaketimeMT.so.1"
FOLDERS = (Path("/usr/lib"), Path("/usr/local/lib"), Path("/usr/lib64"))


class NoFaketime(Exception):
    """There is no libfaketime here."""


@dataclass(frozen=True, kw_only=True)
class Clock:
    """The clock of one worker, which stands in a file and so can be set while it runs."""

    file: Path

    def set(self, offset: str) -> None:
        """Such as `+1h` or `-30m` from the true time, `+0` for the true time itself."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(f"{offset}\n")
        fresh.replace(self.file)

    def settings(self) -> dict[str, str]:
        """What the process needs in its environment."""
        return {
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",  # the name before version 0.9.9
        }


def library() -> Path:
    """Where libfaketime is. Raises NoFaketime."""
    for folder in FOLDERS:
        if found := sorted([*folder.glob(LIBRARY), *folder.glob(f"*/{LIBRARY}")]):
            return found[0]
    raise NoFaketime("libfaketime is not installed (Debian: apt-get install faketime)")
