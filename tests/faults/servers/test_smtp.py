"""Delivering through relays that go wrong: nothing lost, nothing twice that need not be."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from digest.domain.deliveries import State
from digest.store.database import open_engine
from tests.faults.servers.rounds import (
    MEMORY_MOST,
    OTHERS,
    controls,
    live_through,
    settings,
    village,
)
from tests.faults.servers.smtp import VICTIM, relay
from tests.faults.servers.smtpfaults import CASES, Case
from tests.mail.relays import make_certificate, server_context
from tests.reliability import record


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Engine]:
    """SQLite: what goes wrong here does so on the wire."""
    made = open_engine(sqlite_url)
    yield made
    made.dispose()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """The relay's own, which the settings trust, and a stranger's."""
    made = tmp_path_factory.mktemp
    return {name: make_certificate(made(name)) for name in ("relay", "stranger")}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if CASES[name].is_quick else pytest.mark.slow) for name in CASES],
)
def test_mail_survives_what_a_relay_does(
    store: Engine, certificates: dict[str, tuple[Path, Path]], name: str
) -> None:
    case = CASES[name]
    with relay(case.fault, tls=_tls(case, certificates), implicit="implicit" in case.tls) as server:
        trusted = str(certificates["relay"][0])
        place = village(store, settings(server, trusted, case.tls, case.username))
        place.is_watched = case.is_large
        mended = server_context(*certificates["relay"]) if case.tls else None
        story = live_through(place, server, mended)
        assert "stranger" in name or server.book.hits, "the fault never happened"
    assert story.lost == 0
    assert {story.ledger[email].state for email in OTHERS} == {State.SENT}
    assert story.ledger[VICTIM].state is case.ends
    if case.others:
        assert story.during == {State.SENT: len(OTHERS)}
    assert story.duplicates <= story.in_doubt
    assert controls(place.words) == set()
    assert max(map(len, place.words.splitlines())) < 4_000
    assert place.peak < MEMORY_MOST
    if "stranger" in name:
        assert story.logins == 0  # no password to a stranger
    record(
        "SMTP server faults",
        name,
        tried=1,
        mails=len(story.ledger),
        lost=story.lost,
        in_doubt=story.in_doubt,
        duplicates=story.duplicates,
        seconds_to_recover=round(story.recovered_s, 1),
    )


@pytest.mark.slow
def test_a_wrong_password_is_said_three_times_in_three_runs(store: Engine) -> None:
    case = CASES["wrong password"]
    with relay(case.fault) as server:
        place = village(store, settings(server, "", "", case.username))
        story = live_through(place, server, None)
    assert story.logins <= 6  # one connection a run, which tries PLAIN and LOGIN


def _tls(case: Case, certificates: dict[str, tuple[Path, Path]]) -> ssl.SSLContext | None:
    if not case.tls:
        return None
    return server_context(*certificates["stranger" if "stranger" in case.tls else "relay"])
