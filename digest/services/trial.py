"""Trial: a test copy of a digest over the real relay, of which the store never hears.

It is the mail that preview shows, signed and headed as the real one, but for a mark in its subject,
a Message-ID of its own and an envelope sender that names no delivery, so that no reader folds it
with the real one and a bounce of it counts for nothing.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from digest.domain.subscribers import Status, Subscriber, address_hash, address_key
from digest.errors import DigestError, InDoubtError, Refused, RelayError
from digest.mail.transport import Connection, Relay
from digest.services.mailroom import Order, papers_of
from digest.services.preview import Desk, ordered
from digest.store import subscribers, suppressions
from digest.store.database import reading

PREFIX = "[Test] "


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """What became of one test copy: sent with the relay's `answer`, `skipped` because there is
    nothing to send, or not sent because of a `problem`; none of them in a dry run.
    """

    email: str
    digest_on: date | None = None
    answer: str = ""
    skipped: str = ""
    problem: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """What test copies stand on; `sender` is the plain envelope sender, `mark` makes a fresh name
    for each Message-ID.
    """

    desk: Desk
    relay: Callable[[], Relay]
    sender: str
    pepper: str = field(repr=False)
    mark: Callable[[], str]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Copy:
    trial: Trial
    content: bytes = b""


def send_copies(
    bench: Bench,
    emails: Sequence[str],
    now: datetime,
    digest_on: date | None = None,
    *,
    dry_run: bool = False,
) -> list[Trial]:
    """Send each of these subscribers a test copy of their digest; what became of each, in order.

    Only active subscribers who are not suppressed get one. The store is only read. Raises
    TemplateError when a template is wrong, before anything is sent.
    """
    bench.desk.mailroom.check()
    named = {address_key(email): email for email in emails}
    copies = [_copy(bench, email, now, digest_on) for email in named.values()]
    if dry_run or not any(copy.content for copy in copies):
        return [copy.trial for copy in copies]
    return asyncio.run(_send_all(bench, copies))


def _copy(bench: Bench, email: str, now: datetime, digest_on: date | None) -> _Copy:
    """The mail of one test copy, or the reason why there is none."""
    try:
        subscriber = _mailable(bench, email)
        found = ordered(bench.desk, subscriber.email, now, digest_on)
    except DigestError as exc:
        return _Copy(trial=Trial(email=email, problem=str(exc)))
    trial = Trial(email=subscriber.email, digest_on=found.digest_on, skipped=found.skipped)
    if found.order is None:
        return _Copy(trial=trial)
    try:
        return _Copy(trial=trial, content=_content(bench, found.order, now))
    except DigestError as exc:
        return _Copy(trial=replace(trial, problem=str(exc)))


def _mailable(bench: Bench, email: str) -> Subscriber:
    """The subscriber of that address. Raises NotFound, and Refused for who must not be mailed."""
    with reading(bench.desk.engine) as session:
        subscriber = subscribers.by_email(session, email)
        digest = address_hash(bench.pepper, subscriber.email)
        suppressed = suppressions.reason_for(session, digest)
    if suppressed:
        raise Refused(f"{subscriber.email} is suppressed ({suppressed.value}): no mail for it")
    if subscriber.status is not Status.ACTIVE:
        raise Refused(f"{subscriber.email} is {subscriber.status.value}: no test copy for it")
    return subscriber


def _content(bench: Bench, order: Order, now: datetime) -> bytes:
    domain = order.message_id.rpartition("@")[2]
    own = replace(order, message_id=f"<test.{bench.mark()}@{domain}", queued_at=now)
    with reading(bench.desk.engine) as session:
        papers = papers_of(session, own)
    return bench.desk.mailroom.mail(own, papers, subject_prefix=PREFIX).content


async def _send_all(bench: Bench, copies: Sequence[_Copy]) -> list[Trial]:
    """Send over one connection; once the relay cannot be used, the rest is not tried."""
    trials: list[Trial] = []
    async with bench.relay() as relay:
        try:
            async with relay.connection() as connection:
                for copy in copies:
                    trials.append(await _send(bench, connection, copy))
        except RelayError as exc:
            rest = [copy.trial for copy in copies[len(trials) :]]
            trials += [
                trial if trial.problem or trial.skipped else replace(trial, problem=str(exc))
                for trial in rest
            ]
    return trials


async def _send(bench: Bench, connection: Connection, copy: _Copy) -> Trial:
    if not copy.content:
        return copy.trial
    try:
        sent = await connection.send(bench.sender, copy.trial.email, copy.content)
    except RelayError:
        raise
    except InDoubtError as exc:
        return replace(copy.trial, problem=f"may have arrived or not: {exc}")
    except DigestError as exc:
        return replace(copy.trial, problem=str(exc))
    return replace(copy.trial, answer=f"{sent.code} {sent.reply}".strip())
