"""The `digest` command itself, killed and started again by the clock on the wall."""

import time
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.kills.conftest import ALL, store_of
from tests.faults.kills.places import stocked
from tests.faults.kills.program import KILLED, Command
from tests.faults.kills.relay import Taker
from tests.faults.kills.ways import LATE, READERS, town
from tests.reliability import record

LEASE_S = 2.0
POINTS = (
    "services.recorder.written.commit:2",
    "mail.dialogue.dot.said:1",
    "services.compose.chunk.committed:1",
    "mail.wire.piece:4",
)


@pytest.mark.slow
@pytest.mark.parametrize("fault", POINTS if ALL else POINTS[:1])
def test_command_killed_while_sending_is_over_it_once_its_lease_has_run_out(
    fault: str, server: str, tmp_path: Path
) -> None:
    stock = stocked(tmp_path / "town", server, town(*READERS))
    with stock.copy() as place, Taker(pipelining=True) as relay:
        settings = place.settings | {
            "DIGEST_SMTP__PORT": str(relay.port),
            "DIGEST_SMTP__SECURITY": "none",
            "DIGEST_SMTP__CONNECTIONS": "2",
            "DIGEST_DELIVERY__LEASE_S": str(LEASE_S),
        }
        program = Command()
        assert program.start(["fetch", "--now", LATE], place.folder, settings).wait() == 0
        send = ["send", "--now", LATE]
        killed = program.start(send, place.folder, settings | {"DIGEST_FAULT": fault})
        assert killed.wait() == KILLED
        died_at = time.monotonic()
        relay.is_left()
        known = {row.message_id for row in place.ledger() if row.state == "sent"}
        doubt = {one.message_id for one in relay.taken} - known
        while {row.state for row in place.ledger()} != {"sent"}:
            assert time.monotonic() - died_at < 60, (place.folder / "log").read_text()
            assert program.start(send, place.folder, settings).wait() == 0
        seconds = time.monotonic() - died_at
        taken = Counter(one.message_id for one in relay.taken)
        assert len(taken) == len(READERS)
        assert {one for one, times in taken.items() if times == 2} == doubt
        assert taken.total() == len(READERS) + len(doubt)
    record(
        "kill sweep",
        f"the command, a lease of {LEASE_S:g} s, {store_of(stock)}",
        points=1,
        kills=1,
        lost=0,
        in_doubt=len(doubt),
        duplicates=taken.total() - len(taken),
        slowest_recovery_s=seconds,
    )
