"""Subscribers in a store as the pages meet them, and pages as people read them."""

from datetime import date
from html.parser import HTMLParser
from typing import Any

from sqlalchemy import Engine, select, update

from digest.domain.digests import Digest, Pick, Reason, Where
from digest.domain.interests import interest
from digest.domain.papers import PaperId
from digest.domain.subscribers import (
    Channel,
    Preferences,
    Status,
    Subscriber,
    SubscriberId,
    SuppressionReason,
)
from digest.services import subscribe
from digest.store import outbox, subscribers
from digest.store.database import reading, transaction
from digest.store.merge import merge_batch
from digest.store.tables import DeliveryRow, PaperRow, metadata, table
from digest.web.desk import Desk
from tests.builders import NOON, a_batch, a_listing

ADA = "ada@lab.example"
DAY = date(2026, 3, 12)

# scripts, directions and what a form may bring: each of them a word that somebody could type
SCRIPTS = ("графовые сети", "图神经网络", "الشبكات العصبية", "न्यूरल नेटवर्क", "ニューラルネット")
BIDI = "\u202egnitca\u202c \u2066over\u2069 \u200fright"
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; DROP TABLE subscribers; --",
    "{{ 7 * 7 }}",
    "javascript:alert(1)",
    "=cmd|' /C calc'!A0",
    "a\r\nBcc: victim@example.com",
    "\x00\x1b[31m\x7f",
    BIDI,
)
HUGE = "x" * 9_000


def a_person(
    desk: Desk,
    email: str = ADA,
    *phrases: str,
    status: Status = Status.ACTIVE,
    reason: SuppressionReason = SuppressionReason.COMPLAINT,
    preferences: Preferences | None = None,
) -> SubscriberId:
    """A subscriber of that status, who joined by the form now."""
    now = desk.clock()
    with transaction(desk.engine) as session:
        person = subscribe.subscribe(
            session,
            email,
            interests=[interest(phrase) for phrase in phrases or ("continual learning",)],
            preferences=preferences,
            confirmed=status is not Status.PENDING,
            channel=Channel.FORM,
            now=now,
            keys=desk.keys,
        )
        wish: dict[str, Any] = {"channel": Channel.LINK, "now": now}
        if status is Status.PAUSED:
            subscribe.pause(session, person.id, **wish)
        elif status is Status.UNSUBSCRIBED:
            subscribe.unsubscribe(session, person.id, **wish)
        elif status is Status.SUPPRESSED:
            subscribe.suppress(session, email, reason, keys=desk.keys, **wish)
    return person.id


def erased(desk: Desk, person: SubscriberId) -> None:
    with transaction(desk.engine) as session:
        subscribe.erase(session, person, now=desk.clock(), keys=desk.keys)


def now_is(desk: Desk, person: SubscriberId) -> Subscriber:
    with reading(desk.engine) as session:
        return subscribers.by_id(session, person)


def some_papers(desk: Desk, *titles: str, **changes: Any) -> list[PaperId]:
    """Papers of these titles in the store; their ids."""
    with transaction(desk.engine) as session:
        merge_batch(session, a_batch(*(a_listing(title, **changes) for title in titles)), NOON)
        ids = session.scalars(select(table(PaperRow).c.id).order_by(table(PaperRow).c.id)).all()
    return [PaperId(number) for number in ids[-len(titles) :]]


def a_digest(
    desk: Desk, person: SubscriberId, *papers: PaperId, day: date = DAY, sent: bool = True
) -> None:
    """A digest of these papers in the ledger, and mailed at noon if it was `sent`."""
    reason = Reason(where=Where.TITLE, interest="continual learning", words=("learning",))
    picks = tuple(
        Pick(paper_id=number, score=1, relevance=1, trend=0, reason=reason) for number in papers
    )
    name = f"<digest.{person}.{day}@digest.example>"
    with transaction(desk.engine) as session:
        digest = Digest(digest_on=day, picks=picks)
        outbox.enqueue_digest(session, person, digest, edition_id=None, message_id=name, now=NOON)
        if sent:
            rows = table(DeliveryRow)
            done = {"state": "sent", "begun_at": NOON, "sent_at": NOON, "attempts": 1}
            session.execute(update(rows).where(rows.c.message_id == name).values(**done))


def all_rows(engine: Engine) -> dict[str, list[str]]:
    """The whole store, to see whether anything changed."""
    with reading(engine) as session:
        return {
            one.name: sorted(repr(tuple(row)) for row in session.execute(select(one)))
            for one in metadata.sorted_tables
        }


class Page(HTMLParser):
    """A page as it is read: its words, its fields with their values, what is marked as wrong, its
    links, the addresses its buttons send to, and every element with its attributes.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self._data: list[str] = []
        self.fields: dict[str, str] = {}
        self.marked: set[str] = set()
        self.links: dict[str, str] = {}
        self.actions: list[str] = []
        self.elements: set[tuple[str, str]] = set()
        self._area = self._select = self._option = self._link = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        had = {name: value or "" for name, value in attrs}
        self.elements |= {(tag, name) for name in had} | {(tag, "")}
        name = had.get("name", "")
        if had.get("aria-invalid") == "true":
            self.marked.add(name or had.get("aria-labelledby") or had.get("aria-label", ""))
        match tag:
            case "input" if had.get("type") not in ("radio", "checkbox") or "checked" in had:
                self.fields[name] = had.get("value", "on" if "checked" in had else "")
            case "textarea":
                self.fields[name], self._area = "", name
            case "select":
                self._select = name
            case "option" if "selected" in had and self._select:
                self.fields[self._select] = had.get("value", "")
                self._option = "" if "value" in had else self._select
            case "form":
                self.actions.append(had.get("action", ""))
            case "button" if "formaction" in had:
                self.actions.append(had["formaction"])
            case "a":
                self._link = had.get("href", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            # the line end right after the tag is not a part of it (HTML §13.1.2.5)
            self.fields[self._area] = self.fields[self._area].removeprefix("\n")
            self._area = ""
        elif tag == "select":
            self._select = ""
        elif tag == "a":
            self._link = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self.fields[self._area] += data
        if self._option:
            self.fields[self._option], self._option = data, ""
        if self._link and data.strip():
            self.links[" ".join(data.split())] = self._link
        self._data.append(data)

    @property
    def words(self) -> str:
        """All text, with one space between words."""
        return " ".join("".join(self._data).split())
