"""Zone data come from the pinned package, whatever the system has."""

import os
import subprocess
import sys
from pathlib import Path

OWN_DATA = """
import sys, zoneinfo
from digest.domain.schedule import zone
from datetime import datetime
assert zoneinfo.TZPATH == (), zoneinfo.TZPATH
print(zone("Europe/Paris").utcoffset(datetime(2026, 1, 1)))
print(len(zoneinfo.available_timezones()) > 400)
"""


def test_a_systems_own_zone_data_are_not_looked_at(tmp_path: Path) -> None:
    import tzdata

    zones = Path(tzdata.__file__).parent / "zoneinfo"
    (tmp_path / "Europe").mkdir()
    (tmp_path / "Europe" / "Paris").write_bytes((zones / "Asia" / "Tokyo").read_bytes())
    done = subprocess.run(
        [sys.executable, "-c", OWN_DATA],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONTZPATH": str(tmp_path), "PYTHONPATH": str(Path.cwd())},
    )
    assert done.stdout.split() == ["1:00:00", "True"]
