"""Which delivery a returned mail belongs to, asked quickly."""

import pytest
from sqlalchemy import event, text

from digest.domain.deliveries import DeliveryId
from digest.store import bounces
from digest.store.database import open_engine, reading, transaction

ROWS = """
    INSERT INTO deliveries (kind, token, state, reason, message_id, picks, attempts, doubtful,
      queued_at, due_at, smtp_reply)
    VALUES ('digest', '', :state, '', :name, '[]', 1, 0, '2026-03-12 12:00:00+00:00',
      '2026-03-12 12:00:00+00:00', '')
"""


def put(engine, many=1):
    with transaction(engine) as session:
        states = ("sent", "held", "queued")
        rows = [
            {"state": state, "name": f"<{state}.{n}@x>"} for state in states for n in range(many)
        ]
        session.execute(text(ROWS), rows)


def test_only_what_went_out_is_found_by_its_message_id(engine):
    put(engine)
    with reading(engine) as session:
        names = ["sent.0@x", "<held.0@x>", " <queued.0@x> ", "<gone.0@x>", "x" * 10**6]
        found = bounces.mailed_as(session, names)
        assert len(found) == 2
        assert bounces.mailed(session, [one.delivery_id for one in found]) == found
        assert bounces.mailed(session, [DeliveryId(0), DeliveryId(-1), DeliveryId(2**63)]) == []
        assert {one.subscriber_id for one in found} == {None}


@pytest.mark.parametrize(
    ("kind", "explain"),
    [
        ("sqlite", "EXPLAIN QUERY PLAN"),
        pytest.param("postgres", "EXPLAIN", marks=pytest.mark.postgres),
    ],
)
def test_the_question_for_a_message_id_takes_its_index(request, kind, explain):
    engine = open_engine(request.getfixturevalue(f"{kind}_url"))
    put(engine, many=2_000)
    if kind == "postgres":
        with transaction(engine) as session:
            session.execute(text("ANALYZE deliveries"))
    asked = []

    @event.listens_for(engine, "before_cursor_execute")
    def _keep(_connection, _cursor, statement, parameters, *_rest):
        asked.append((statement, parameters))

    with reading(engine) as session:
        bounces.mailed_as(session, ["<sent.7@x>", "<sent.8@x>"])
        statement, parameters = asked[-1]
        plan = session.connection().exec_driver_sql(f"{explain} {statement}", parameters).all()
    assert "ix_deliveries_returnable" in str(plan)
    engine.dispose()
