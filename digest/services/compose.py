"""Compose: digests of who is due into the ledger, with the subscribers' next instants.

Papers are scored once per edition against the distinct interests; subscribers are taken in chunks,
each in one transaction, so that memory is bounded and a crash repeats at most one chunk.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import Engine
from sqlmodel import Session

from digest.domain.deliveries import MailKind, message_id
from digest.domain.digests import Digest, Skip, SkipReason
from digest.domain.editions import Edition, EditionId
from digest.domain.schedule import first_due, local_date
from digest.domain.subscribers import Status, Subscriber, SubscriberId, address_key
from digest.domain.tiers import Tier
from digest.errors import NotFound, Refused, StoreError
from digest.faultpoints import reach
from digest.ranking.personal import PersonalRanker
from digest.ranking.select import COMPILE_FROM, expect
from digest.services.chosen import digests_of, merged_away, read_votes
from digest.services.embedders import one_blas_thread
from digest.services.feedback import votes_of
from digest.services.knowledge import Knowledge
from digest.services.memory import collecting_seldom
from digest.services.plans import (
    Plan,
    date_anew,
    dated_plans,
    due_plan,
    still_true,
    unknown_zones,
)
from digest.store import due, editions, outbox, subscribers
from digest.store.database import reading, transaction
from digest.store.ledger_read import has_row, sent_before
from digest.store.papers import chunks
from digest.store.sources import last_change

CHUNK = 1_000
AHEAD = 5  # chunks that are read and matched together, which takes less time


@dataclass(frozen=True, kw_only=True, slots=True)
class Who:
    """For whom to compose: who is due; with `digest_on` every active subscriber whose schedule
    chooses that local date; with `only` just these addresses, at once.
    """

    digest_on: date | None = None
    only: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ComposedDigest:
    """One subscriber's digest or skip; `considered` counts the papers it was chosen from."""

    subscriber: Subscriber
    content: Digest | Skip
    considered: int = 0


@dataclass(kw_only=True)
class Composed:
    """What composing did: how many were due, got a digest, were skipped by reason, or failed.

    `already` counts dates that had a row before; `papers` are the edition's candidates.
    """

    due: int = 0
    composed: int = 0
    already: int = 0
    papers: int = 0
    edition_id: int | None = None
    skipped: Counter[SkipReason] = field(default_factory=Counter)
    failed: list[tuple[str, str]] = field(default_factory=list)

    def count(self, contents: Iterable[Digest | Skip]) -> None:
        """Count outcomes that were written."""
        for content in contents:
            if isinstance(content, Digest):
                self.composed += 1
            else:
                self.skipped[content.reason] += 1

    def as_fields(self) -> dict[str, object]:
        """The summary as log fields."""
        skips = {f"skipped_{reason.value}": n for reason, n in sorted(self.skipped.items())}
        return {
            "edition": self.edition_id,
            "papers": self.papers,
            "due": self.due,
            "composed": self.composed,
            "failed": len(self.failed),
            **skips,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """How digests are composed: the window, the least relevance, how many papers may come for their
    trend alone `beyond` the matches, and what names the mails.
    """

    lookback_days: int
    threshold: float
    domain: str
    secret: str = field(repr=False)
    beyond: int = 0
    tier: Tier = Tier.CORE


@dataclass(frozen=True, kw_only=True, slots=True)
class _Pool:
    """An edition, its ranker, and how many papers it holds."""

    edition: Edition
    ranker: PersonalRanker
    size: int


class Composer:
    """Composes; keeps what the store teaches and the last ranking between calls, so that a daemon
    does not read the whole store at each tick.
    """

    def __init__(self, engine: Engine, policy: Policy) -> None:
        self._engine = engine
        self._policy = policy
        self._knowledge = Knowledge(policy.tier)
        self._one_blas_thread = one_blas_thread()  # which looks through all that is loaded
        self._pool: _Pool | None = None

    def compose(
        self,
        who: Who,
        now: datetime,
        *,
        dry_run: bool = False,
        each: Callable[[ComposedDigest], None] = lambda _one: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> Composed:
        """Write the digests and skips of `who` into the ledger, with the next instants.

        `each` is called with every outcome that was written. A dry run does the same and takes it
        all back. An address of `who.only` that can get no digest is named among the failed. `stop`
        is asked before each chunk.
        """
        reach("services.compose.begun")
        done = Composed()
        pool: _Pool | None = None
        if who == Who() and not dry_run:
            date_anew(self._engine, now)
            self._expect(now)
        with collecting_seldom(), self._one_blas_thread():
            for several in chunks(self._plans(who, now, done), AHEAD):
                if stop():
                    break
                pool = pool or self._pool_at(now, dry_run=dry_run)
                done.edition_id = None if dry_run else pool.edition.id
                done.papers = pool.size
                self._learn(pool, (plan for plans in several for plan in plans))
                for plans in several:
                    if stop():
                        break
                    for one in self._chunk(plans, pool, done, now, dry_run=dry_run):
                        each(one)
        reach("services.compose.done")
        return done

    def _chunk(
        self, plans: Sequence[Plan], pool: _Pool, done: Composed, now: datetime, *, dry_run: bool
    ) -> list[ComposedDigest]:
        """Compose for one chunk, in a transaction of its own; what was written."""
        done.due += len(plans)
        self._learn_votes(pool, plans)
        reach("services.compose.prepared")
        with transaction(self._engine) as session:
            written = self._compose_chunk(session, plans, pool, done, now)
            if dry_run:
                session.rollback()
        done.count(one.content for one in written)
        return written

    @property
    def note(self) -> str | None:
        """What is missing for a better ranking."""
        return self._knowledge.note

    def preview(self, email: str, now: datetime, digest_on: date | None) -> ComposedDigest:
        """What this subscriber would get now, whatever their schedule; nothing is written."""
        pool = self._pool_at(now, dry_run=True)
        with reading(self._engine) as session:
            subscriber = subscribers.by_email(session, email)
            sent = sent_before(session, [subscriber.id], pool.edition.opens_at)
            votes, unreadable = read_votes(session, [subscriber.id])
        if unreadable:
            raise StoreError(f"{subscriber.email}: {unreadable[subscriber.id]}")
        day = digest_on or local_date(subscriber.preferences.schedule, now)
        known = sent.get(subscriber.id, set())
        given = votes.get(subscriber.id, ())
        content = pool.ranker.digest_for(subscriber, known, day, given, now)
        return ComposedDigest(subscriber=subscriber, content=content, considered=pool.size)

    def message_id(self, subscriber_id: SubscriberId, day: date) -> str:
        """The Message-ID of a subscriber's digest for that date."""
        return message_id(
            MailKind.DIGEST,
            subscriber_id,
            day.isoformat(),
            secret=self._policy.secret,
            domain=self._policy.domain,
        )

    def _plans(self, who: Who, now: datetime, done: Composed) -> Iterator[list[Plan]]:
        """Chunks of plans, none of them empty."""
        if who.only:
            plans = []
            for email in {address_key(email): email for email in who.only}.values():
                try:
                    plans.append(self._plan_for(email, who.digest_on, now))
                except (NotFound, Refused) as exc:
                    done.failed.append((email, str(exc)))
            if plans:
                yield plans
            return
        after = SubscriberId(0)
        while True:
            with reading(self._engine) as session:
                if who.digest_on is None:
                    found = due.due(session, now, after_id=after, limit=CHUNK)
                    chunk = [one.subscriber for one in found]
                    plans = [due_plan(one, now) for one in found]
                else:
                    chunk = subscribers.listed(
                        session, statuses=[Status.ACTIVE], limit=CHUNK, after_id=after
                    )
                    plans = dated_plans(session, chunk, who.digest_on, now)
            if plans:
                yield plans
            if len(chunk) < CHUNK:
                return
            after = chunk[-1].id

    def _expect(self, now: datetime) -> None:
        with reading(self._engine) as session:
            expect(due.count_due(session, now, COMPILE_FROM))

    def _plan_for(self, email: str, digest_on: date | None, now: datetime) -> Plan:
        """The plan for one address at once, whatever its schedule."""
        with reading(self._engine) as session:
            subscriber = subscribers.by_email(session, email)
            if subscriber.status is not Status.ACTIVE:
                raise Refused(f"{subscriber.email} is {subscriber.status.value}: no digest for it")
            schedule = subscriber.preferences.schedule
            today = local_date(schedule, now)
            day = digest_on or today
            has_row_today = day == today or has_row(session, subscriber.id, today)
        return Plan(
            subscriber=subscriber,
            digest_on=day,
            next_at=first_due(schedule, now, has_row_today=has_row_today),
            replaces=True,
        )

    def _pool_at(self, now: datetime, *, dry_run: bool) -> _Pool:
        """The edition of this instant with its ranker, kept while the edition lasts."""
        with transaction(self._engine) as session:
            changed = last_change(session, now)
            edition = editions.edition_for(session, now, self._policy.lookback_days, changed)
            if dry_run:
                session.rollback()
        if self._pool and not dry_run and self._pool.edition.id == edition.id:
            return self._pool
        self._pool = None  # first: two editions at once take twice the memory
        pool = self._ranked(edition)
        self._pool = None if dry_run else pool
        return pool

    def _ranked(self, edition: Edition) -> _Pool:
        with reading(self._engine) as session:
            self._knowledge.learn(session, edition.cutoff_at)
            ranker = self._knowledge.ranker(
                session, edition, threshold=self._policy.threshold, beyond=self._policy.beyond
            )
        return _Pool(edition=edition, ranker=ranker, size=len(ranker.papers))

    def _learn(self, pool: _Pool, plans: Iterable[Plan]) -> None:
        """Do the slow part, matching, now: it must not keep others from the store."""
        with suppress(Exception):  # whoever is at fault is named where their digest is made
            pool.ranker.learn(i for plan in plans for i in plan.subscriber.interests)

    def _learn_votes(self, pool: _Pool, plans: Iterable[Plan]) -> None:
        with suppress(Exception), reading(self._engine) as session:
            pool.ranker.learn_votes(votes_of(session, [plan.subscriber.id for plan in plans]))

    def _compose_chunk(
        self,
        session: Session,
        plans: Sequence[Plan],
        pool: _Pool,
        done: Composed,
        now: datetime,
    ) -> list[ComposedDigest]:
        """Compose for one chunk and write it, in the caller's transaction; what was written."""
        plans = still_true(session, plans)
        ids = [plan.subscriber.id for plan in plans]
        sent = sent_before(session, ids, pool.edition.opens_at)
        gone = merged_away(session, pool.ranker.papers)
        barred = {number: sent.get(number, set()) | gone for number in ids}
        votes, unsound = read_votes(session, ids)
        unsound |= unknown_zones(plans)
        sound = [plan for plan in plans if plan.subscriber.id not in unsound]
        digests, faults = digests_of(sound, pool.ranker, barred, votes, now)
        faults |= unsound
        outcomes: list[tuple[Plan, outbox.Outcome]] = []
        settled: list[tuple[SubscriberId, datetime]] = []
        for plan in plans:
            subscriber = plan.subscriber
            if subscriber.id in faults:
                done.failed.append((subscriber.email, faults[subscriber.id]))
                continue
            contents = _contents(plan, digests.get(subscriber.id))
            outcomes += [(plan, self._outcome(subscriber.id, c, done.edition_id)) for c in contents]
            settled.append((subscriber.id, plan.next_at))
        written = _write(session, outcomes, now)
        due.set_next(session, settled)
        done.already += len(outcomes) - len(written)
        return written

    def _outcome(
        self, subscriber_id: SubscriberId, content: Digest | Skip, edition_id: int | None
    ) -> outbox.Outcome:
        named = isinstance(content, Digest)
        return outbox.Outcome(
            subscriber_id=subscriber_id,
            content=content,
            edition_id=None if edition_id is None else EditionId(edition_id),
            message_id=self.message_id(subscriber_id, content.digest_on) if named else "",
        )


def _contents(plan: Plan, digest: Digest | Skip | None) -> list[Digest | Skip]:
    late = plan.late_on and Skip(digest_on=plan.late_on, reason=SkipReason.LATE)
    return [content for content in (late, digest) if content]


def _write(
    session: Session, outcomes: Sequence[tuple[Plan, outbox.Outcome]], now: datetime
) -> list[ComposedDigest]:
    """Write what has no row yet, or, where the plan says so, only a skip; what was written."""
    new = outbox.write_outcomes(session, [outcome for _, outcome in outcomes], now)
    return [
        ComposedDigest(subscriber=plan.subscriber, content=outcome.content)
        for plan, outcome in outcomes
        if (outcome.subscriber_id, outcome.content.digest_on) in new
        or (plan.replaces and outbox.replace_skipped(session, outcome, now))
    ]
