"""Papers by the day on which they were first listed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, func, literal, select, union_all
from sqlmodel import Session

from digest.domain.deliveries import MailKind, State
from digest.domain.papers import PaperId, Signal
from digest.domain.subscribers import SubscriberId
from digest.store.papers import CHUNK, chunks
from digest.store.signals import signal_from, source_names
from digest.store.tables import DeliveryRow, SignalRow, table

_signals = table(SignalRow)
_earlier = _signals.alias("earlier")
_deliveries = table(DeliveryRow)
_NOT_SENT = (State.SKIPPED.value, State.CANCELLED.value)


def first_days(session: Session, ids: Iterable[PaperId]) -> dict[PaperId, date]:
    """The day on which each of these papers was first listed, where it was at all."""
    found: dict[PaperId, date] = {}
    for chunk in chunks(dict.fromkeys(ids), CHUNK):
        query = select(_signals.c.paper_id, func.min(_signals.c.listed_on))
        rows = session.execute(
            query.where(_signals.c.paper_id.in_(chunk)).group_by(_signals.c.paper_id)
        )
        found |= {PaperId(number): day for number, day in rows}
    return found
