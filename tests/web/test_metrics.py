"""/metrics: what Prometheus reads, its names, and what a scrape may cost."""

import re
import socket
from datetime import timedelta

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event, insert, text

from digest import observe
from digest.app import App
from digest.domain.deliveries import State
from digest.domain.papers import Outcome, SourceKind
from digest.resources import example_config
from digest.services import runs
from digest.services.collect import Collected, keep
from digest.settings import load
from digest.store.database import transaction
from digest.store.tables import DeliveryRow, SubscriberRow, table
from digest.web.machines import machines
from digest.web.metrics import exposition
from tests.builders import NOON, a_batch, a_listing
from tests.commands import SECRETS

HOUR = timedelta(hours=1)


def families(engine, now=NOON):
    read = text_string_to_metric_families(exposition(engine, now).decode())
    return {family.name: family for family in read}


def value(engine, name, now=NOON, **labels):
    """The sample of that name and labels; None where there is none."""
    for family in families(engine, now).values():
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return sample.value
    return None


def a_row(state, due=NOON - HOUR, **changes):
    values = {
        "kind": "digest",
        "state": state.value,
        "queued_at": due,
        "due_at": due,
        "picks": "[]",
        "token": "",
        "reason": "",
        "message_id": "",
        "attempts": 0,
        "doubtful": 0,
        "smtp_reply": "",
    }
    return values | changes


def fill(engine, *rows):
    with transaction(engine) as session:
        for row in rows:
            session.execute(insert(table(DeliveryRow)).values(row))


def test_the_queue_is_told_with_its_depth_its_age_and_who_holds_what(engine):
    lease = {"lease_until": NOON + HOUR, "begun_at": NOON}
    fill(
        engine,
        a_row(State.QUEUED),
        a_row(State.DEFERRED, NOON - 3 * HOUR),
        a_row(State.QUEUED, NOON + HOUR),
        *(a_row(State.SENDING, owner=owner, **lease) for owner in ("a", "a", "b")),
        a_row(State.HELD),
        a_row(State.SENT),
    )
    names = {
        "digest_deliveries_due": 2,
        "digest_deliveries_oldest_due_seconds": 3 * 3600,
        "digest_deliveries_leased": 3,
        "digest_lease_owners": 2,
        "digest_deliveries_held": 1,
    }
    assert {name: value(engine, name) for name in names} == names


def test_an_empty_store_has_all_figures_of_the_store_at_nought(engine):
    for name in (
        "digest_deliveries_due",
        "digest_deliveries_oldest_due_seconds",
        "digest_subscribers_due",
        "digest_sign_ups_waiting",
        "digest_relay_paused",
        "digest_alarms_standing",
    ):
        assert value(engine, name) == 0, name
    assert value(engine, "digest_subscribers", status="active") == 0
    assert value(engine, "digest_store_bytes") > 10_000


def test_when_each_source_last_worked_and_was_last_asked_is_told(engine):
    batch = a_batch(a_listing(), source="arxiv", kind=SourceKind.ARXIV_RSS)
    keep(engine, batch, NOON)
    later = a_batch(
        source="arxiv", kind=SourceKind.ARXIV_RSS, outcome=Outcome.FAULT, fetched_at=NOON + HOUR
    )
    keep(engine, later, NOON + HOUR)
    at = NOON.timestamp()
    success = "digest_source_last_success_timestamp_seconds"
    assert value(engine, success, source="arxiv") == at
    fetch = "digest_source_last_fetch_timestamp_seconds"
    assert value(engine, fetch, source="arxiv") == at + 3600


def test_subscribers_are_counted_once_a_minute(engine):
    def active(now):
        return value(engine, "digest_subscribers", now, status="active")

    assert active(NOON) == 0
    with transaction(engine) as session:
        session.add(
            SubscriberRow(
                email="a@x", email_key="a@x", status="active", created_at=NOON, updated_at=NOON
            )
        )
    assert active(NOON + timedelta(seconds=59)) == 0
    assert active(NOON + timedelta(seconds=60)) == 1


def test_what_the_process_did_is_told_by_labels(engine):
    runs.fetched(Collected(source="told", outcome=Outcome.PAPERS, note="", new=4))
    observe.DELIVERIES.add(2, "sent")
    observe.TRY_SECONDS.add(0.03)
    assert value(engine, "digest_batches_total", source="told", outcome="papers") >= 1
    assert value(engine, "digest_papers_new_total", source="told") >= 4
    assert value(engine, "digest_deliveries_total", outcome="sent") >= 2
    assert value(engine, "digest_delivery_try_seconds_count") >= 1
    below = value(engine, "digest_delivery_try_seconds_bucket", le="0.05")
    assert below >= value(engine, "digest_delivery_try_seconds_bucket", le="0.025") + 1
    assert value(engine, "digest_relay_pauses_total") is not None


def test_names_have_units_labels_are_few_and_all_stand_in_the_docs(engine, repository):
    documented = (repository / "docs" / "metrics.md").read_text()
    for name, family in families(engine).items():
        assert re.fullmatch(r"digest_[a-z_]+", name)
        assert family.documentation
        assert all(len(sample.labels) <= 3 for sample in family.samples), name
        written = f"{name}_total" if family.type == "counter" else name
        assert f"`{written}`" in documented, written


@pytest.fixture
def repository():
    return example_config().parent


def test_no_scrape_reads_the_whole_ledger(engine):
    """The plan of every query on the ledger goes by an index."""
    fill(engine, *(a_row(State.SENT, NOON - n * HOUR) for n in range(200)))
    asked = []

    def note(_conn, _cursor, statement, parameters, _context, _many):
        if "deliveries" in statement:
            asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    exposition(engine, NOON)
    event.remove(engine, "before_cursor_execute", note)
    assert asked
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL enable_seqscan = off"))
        for statement, parameters in asked:
            explain = "EXPLAIN " if engine.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN "
            plan = connection.exec_driver_sql(explain + statement, parameters).all()
            told = " ".join(str(column) for row in plan for column in row)
            assert re.search(r"ix_deliveries_(waiting|leased|held)", told), told


def test_a_process_without_pages_answers_machines_at_a_port_of_its_own(
    engine, monkeypatch: pytest.MonkeyPatch
):
    url = engine.url.render_as_string(hide_password=False)
    for name, told in (SECRETS | {"DIGEST_STORE__URL": url, "DIGEST_SOURCES": "[]"}).items():
        monkeypatch.setenv(name, told)
    assert machines(App(load(), lambda: NOON)) is None
    monkeypatch.setenv("DIGEST_WEB__METRICS_PORT", str(_free_port()))
    server = machines(App(load(), lambda: NOON))
    assert server is not None
    server.start()
    try:
        base = f"http://127.0.0.1:{server.port}"
        assert httpx2.get(f"{base}/healthz").text == "ok\n"
        assert httpx2.get(f"{base}/readyz").json()["store"] is True
        assert "digest_deliveries_due 0.0" in httpx2.get(f"{base}/metrics").text
        assert httpx2.get(base).status_code == 404
    finally:
        server.stop()


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
