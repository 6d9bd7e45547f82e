"""Sending over a network with a round trip of 50 ms, where waiting decides: `make bench`.

A proxy before the sink holds every piece of data back for 25 ms in each direction. Twenty
connections; the same ready mails by plain aiosmtplib and by our relay, and our whole way from the
ledger. The bar of the project is 1.8 times aiosmtplib.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.benchmarks.mail import runs
from tests.benchmarks.mail.ours import composed
from tests.benchmarks.mail.runs import Cost, environment, told
from tests.benchmarks.mail.servers import delayed, sink
from tests.benchmarks.mail.world import Ledgers

DELAY_S = 0.025
CONNECTIONS = 20
PROCESSES = 2
MAILS = 2_000
READY = 1_000
DIFFERENT = 100
BAR = 1.8


@pytest.mark.bench
def test_a_slow_network_beside_plain_aiosmtplib(
    ledgers: Ledgers, signing_key: Path, tmp_path: Path
) -> None:
    store = ledgers.sqlite(MAILS)
    _, cost, mails = composed(environment(store, 25, tmp_path, 1, signing_key), DIFFERENT)
    folder = tmp_path / "ready"
    folder.mkdir()
    for number, mail in enumerate(mails):
        (folder / f"{number:04}.eml").write_bytes(mail.content)
    with sink() as near, delayed(near, DELAY_S) as port:
        theirs = runs.side_by_side([runs.ready("aiosmtplib", folder, port, READY, CONNECTIONS)])
        relay = runs.side_by_side([runs.ready("relay", folder, port, READY, CONNECTIONS)])
        settings = environment(store, port, tmp_path, CONNECTIONS // PROCESSES, signing_key)
        whole = replace(runs.delivered(settings, tmp_path, PROCESSES), size=cost.size)
    print()
    told("ready mails by plain aiosmtplib", theirs)
    told("the same by our relay", relay)
    told("ours from the ledger, two processes", whole)
    _compared("our relay", relay, theirs)
    _compared("ours from the ledger", whole, theirs)
    assert whole.messages == MAILS


def _compared(what: str, ours: Cost, theirs: Cost) -> None:
    print(f"{what} / aiosmtplib: {ours.per_s / theirs.per_s:.2f} × (bar {BAR} ×)")
