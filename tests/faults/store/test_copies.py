"""Copies of the store that are broken off: nothing of them is left."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from digest.services.move.outputs import beside
from tests.faults.store.shop import Shop
from tests.faults.waiting import until

ROOT = str(Path(__file__).resolve().parents[3])


def test_sigterm_leaves_nothing_of_a_file_that_was_being_written(tmp_path: Path) -> None:
    old = tmp_path / "store.zip"
    old.write_bytes(b"the old one")
    with pytest.raises(SystemExit) as ended, beside(old, replace=True) as passing:
        passing.write_bytes(b"half of the new one")
        signal.raise_signal(signal.SIGTERM)
    assert ended.value.code == 143
    assert [path.name for path in tmp_path.iterdir()] == ["store.zip"]
    assert old.read_bytes() == b"the old one"
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_file_can_be_written_from_any_thread(tmp_path: Path) -> None:
    def write() -> None:
        with beside(tmp_path / "store.zip", replace=True) as passing:
            passing.write_bytes(b"all of it")

    thread = threading.Thread(target=write)
    thread.start()
    thread.join()
    assert (tmp_path / "store.zip").read_bytes() == b"all of it"


@pytest.mark.slow
def test_an_export_that_is_ended_leaves_nothing_of_itself(shop: Shop, tmp_path: Path) -> None:
    shop.begin("sent")
    folder = tmp_path / "archives"
    folder.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "digest", "export", folder / "store.zip"],
        cwd=shop.desk.folder,
        env=os.environ | {"PYTHONPATH": ROOT},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: any(folder.iterdir()), "the export has begun", look_s=0.0005)
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    finally:
        process.kill()
        process.wait()
    # it may have been done already: then all of it is there
    assert [path.name for path in folder.iterdir()] in ([], ["store.zip"])
