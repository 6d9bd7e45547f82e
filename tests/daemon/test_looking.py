"""What a host finds when it compares itself with the store."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from digest import app as composition
from digest.app import App
from digest.daemon.looking import looking
from digest.settings import load
from digest.store.clock import StoreClock
from digest.store.database import open_engine, transaction
from tests.commands import Desk


def test_a_store_of_a_newer_program_is_told_of(desk: Desk) -> None:
    app = App(load(), lambda: datetime.now(UTC))
    with transaction(app.engine) as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with capture_logs() as logs:
        looking(app, lambda: False)
    assert [(entry["schema"], entry["log_level"]) for entry in logs] == [("9999", "warning")]


@pytest.mark.postgres
def test_a_host_whose_clock_is_off_is_warned(
    postgres_url: str, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGEST_STORE__URL", postgres_url)
    for seconds, told in ((2, []), (60, [-60]), (-60, [60])):
        monkeypatch.setattr(
            composition, "present", lambda s=seconds: datetime.now(UTC) + timedelta(seconds=s)
        )
        with capture_logs() as logs:
            looking(App(load(), lambda: datetime.now(UTC)), lambda: False)
        assert [round(entry["store_ahead_s"]) for entry in logs] == told


@pytest.mark.postgres
def test_leases_go_by_the_stores_clock_even_when_the_hosts_is_set_meanwhile(
    postgres_url: str,
) -> None:
    engine = open_engine(postgres_url)
    off = timedelta(0)
    wall = StoreClock(engine, lambda: datetime.now(UTC) + off)
    assert abs(wall() - datetime.now(UTC)) < timedelta(seconds=2)
    off = timedelta(hours=-3)
    assert abs(wall() - datetime.now(UTC)) < timedelta(seconds=2)
    assert wall.sync() > timedelta(hours=2)
    assert abs(wall() - datetime.now(UTC)) < timedelta(seconds=2)
    engine.dispose()
