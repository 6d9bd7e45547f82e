"""An erase whose process died before it cleaned up."""

import signal
import sqlite3
from pathlib import Path

import pytest

from tests.faults.kills.places import STORE, Place, stocked
from tests.faults.kills.program import KILLED, Nursery
from tests.faults.kills.ways import READERS, town
from tests.faults.waiting import until

POINTS = ("services.roster.erased.committed", "store.database.scrub.begun")
GONE = READERS[3]


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_address_whose_erase_was_cut_short_is_in_no_file_once_the_daemon_runs(
    point: str, nursery: Nursery, tmp_path: Path
) -> None:
    with stocked(tmp_path / "town", "", town(*READERS)).copy() as place:
        fault = place.settings | {"DIGEST_FAULT": point}
        erase = nursery.start(["subscribers", "erase", GONE], place.folder, fault)
        assert erase.wait() == KILLED
        assert _times(place) > 0  # and the last who closes it would clean up
        other = sqlite3.connect(place.folder / STORE)  # as another process has it open
        other.execute("SELECT count(*) FROM subscribers").fetchone()
        quiet = {"DIGEST_WEB__PORT": "0", "DIGEST_SMTP__PORT": "1"}
        daemon = nursery.start(["run"], place.folder, place.settings | quiet)
        log = place.folder / "log"
        until(lambda: '"started"' in log.read_text(), "the daemon runs")
        assert _times(place) == 0
        daemon.signal(signal.SIGTERM)
        assert daemon.wait() == 0
        other.close()


def _times(place: Place) -> int:
    """How often the address stands in the store's files."""
    files = place.folder.glob(f"{STORE}*")
    return sum(file.read_bytes().count(GONE.encode()) for file in files)
