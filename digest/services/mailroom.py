"""The mailroom: from rows of the ledger to mails as bytes.

What a mail says was decided when it was queued; here it is only put into words. The same row gives
the same bytes at every try, so that a receiver can fold what came twice.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import lru_cache, partial
from hashlib import sha256
from typing import Protocol

from sqlmodel import Session

from digest.domain.alerts import News
from digest.domain.deliveries import DeliveryId, MailKind, marked_address
from digest.domain.digests import Digest
from digest.domain.editions import EditionId
from digest.domain.papers import Paper, PaperId
from digest.domain.subscribers import Subscriber
from digest.errors import ConfigError, DigestError, InvalidInput, MailError, NotFound
from digest.mail import message, views
from digest.mail.links import Site, unsubscribe_mailto
from digest.mail.render import Rendered, Renderer
from digest.mail.tokens import Purpose, Tokens
from digest.store import editions
from digest.store.ledger import Claimed
from digest.store.papers import Reread, count_candidates, papers_by_id

CONFIRM_DAYS = 7
CHANGE_DAYS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Mail:
    """One mail in words and as bytes."""

    rendered: Rendered
    content: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What one mail is to hold: the ledger's row, with the subscriber it is for.

    `recipient` is empty where it goes to the subscriber's own address; `digest` and `considered`
    belong to digests.
    """

    kind: MailKind
    subscriber: Subscriber
    message_id: str
    queued_at: datetime
    token: str = ""
    recipient: str = ""
    digest: Digest | None = None
    considered: int | None = None

    @property
    def to(self) -> str:
        """The address it goes to."""
        return self.recipient or self.subscriber.email


@dataclass(frozen=True, kw_only=True, slots=True)
class Outgoing:
    """A claimed delivery ready to be sent; `content` makes its bytes, or says why it cannot."""

    id: DeliveryId
    sender: str
    recipient: str
    content: Callable[[], bytes | DigestError]


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """What the operator is to be told: the news, since when each alarm stands by its key, and which
    host tells it when.
    """

    told: News
    began: Mapping[str, datetime]
    host: str
    written_at: datetime
    message_id: str


class EnvelopeSenders(Protocol):
    """Writes envelope senders that say which delivery came back (VERP)."""

    def sender(self, delivery_id: int) -> str:
        """The envelope sender of that delivery."""
        ...


class Mailroom:
    """Puts orders into words and bytes, by the templates and the sender's identity.

    Mails are signed where there is a `signer`. Answers that leave by mail go to `leave_at`, where
    that is not the sender's address.
    """

    def __init__(
        self,
        renderer: Renderer,
        tokens: Tokens,
        site: Site,
        identity: views.Identity,
        *,
        signer: message.Signer | None = None,
        verp: EnvelopeSenders | None = None,
        leave_at: str = "",
    ) -> None:
        self._renderer = renderer
        self._tokens = tokens
        self._site = site
        self._identity = identity
        self._signer = signer
        self._verp = verp
        self._leave_at = leave_at or identity.address
        self._papers = Reread()

    @property
    def sender(self) -> str:
        """The envelope sender of mails that are in no ledger."""
        return self._identity.address

    def check(self) -> None:
        """Raise TemplateError before the first mail when a template is wrong, and ConfigError when
        what is known of the sender cannot stand in a mail.
        """
        self._renderer.check()
        try:
            message.compose(self._sample())
        except InvalidInput as exc:
            raise ConfigError(f"[sender] or site.url cannot be used in a mail: {exc}") from exc

    def outgoing(self, session: Session, rows: Sequence[Claimed]) -> list[Outgoing]:
        """The claimed rows as messages to send, in their order; the papers are read at once."""
        ids = {pick.paper_id for row in rows if row.digest for pick in row.digest.picks}
        papers = self._papers.papers(session, ids)
        totals = {
            number: considered(session, number) for number in {row.edition_id for row in rows}
        }
        return [
            Outgoing(
                id=row.id,
                sender=self._verp.sender(row.id) if self._verp else self.sender,
                recipient=row.recipient,
                content=partial(self._content, _order(row, totals[row.edition_id]), papers),
            )
            for row in rows
        ]

    def prepare(self, session: Session, rows: Sequence[Claimed]) -> None:
        """Render ahead of time the papers of these digests; what cannot be is told when it is sent.

        Several senders can then begin with the same work done once.
        """
        ids = {pick.paper_id for row in rows if row.digest for pick in row.digest.picks}
        papers = self._papers.papers(session, ids)
        for row in rows:
            with suppress(DigestError):
                order = _with_known_papers(_order(row, None), papers)
                self._renderer.prepare(self._view(order, papers, views.Manage()))

    def _content(self, order: Order, papers: Mapping[PaperId, Paper]) -> bytes | DigestError:
        try:
            return self.mail(order, papers).content
        except DigestError as exc:
            return exc
        except Exception as exc:  # a damaged row must not stop the mails of others
            return MailError(f"the mail cannot be made: {type(exc).__name__}: {exc}")

    def mail(
        self, order: Order, papers: Mapping[PaperId, Paper], *, subject_prefix: str = ""
    ) -> Mail:
        """The mail; picks whose paper is not in `papers` (pruned since) are left out, and so is the
        second of two that were found to be one paper.

        Raises NotFound when none is left, TemplateError or InvalidInput when it cannot be made.
        """
        order = _with_known_papers(order, papers)
        manage = self._manage(order)
        view = self._view(order, papers, manage)
        text_only = order.subscriber.preferences.text_only
        rendered = self._renderer.render(view, text_only=text_only)
        if subject_prefix:
            rendered = replace(rendered, subject=subject_prefix + rendered.subject)
        letter = self._letter(order, rendered, manage)
        return Mail(rendered=rendered, content=message.compose(letter, self._signer))

    def alert(self, to: str, notice: Notice) -> bytes:
        """A mail to the operator: no subscriber's, and on no list. Raises as `mail` does."""
        frame = views.frame_for_stranger(to, self._identity)
        view = views.alert_view(
            frame, notice.told, notice.began, host=notice.host, at=notice.written_at
        )
        rendered = self._renderer.render(view)
        identity = self._identity
        letter = message.Letter(
            sender=message.Mailbox(address=identity.address, name=identity.name),
            recipient=to,
            subject=rendered.subject,
            text=rendered.quoted_text,
            html=rendered.quoted_html,
            message_id=notice.message_id,
            date=notice.written_at,
        )
        return message.compose(letter, self._signer)

    def _view(
        self, order: Order, papers: Mapping[PaperId, Paper], manage: views.Manage
    ) -> views.MailView:
        subscriber = order.subscriber
        if order.kind is MailKind.CHANGE_ADDRESS:
            return self._change_view(order)
        frame = views.frame_of(subscriber, self._identity, manage)
        match order.kind:
            case MailKind.DIGEST if order.digest:
                return self._digest_view(order, order.digest, papers, frame)
            case MailKind.WELCOME:
                first_at = subscriber.next_digest_at or order.queued_at
                return views.welcome_view(frame, subscriber.preferences.schedule, first_at)
            case MailKind.ACCESS:
                return views.access_view(frame, subscriber.status)
            case MailKind.CONFIRM:
                url = self._site.confirm(self._token(Purpose.CONFIRM, order, order.token))
                return views.confirm_view(frame, confirm_url=url, valid_days=CONFIRM_DAYS)
            case kind:
                raise MailError(f"there is no mail of kind {kind.value} to a subscriber")

    def _digest_view(
        self, order: Order, digest: Digest, papers: Mapping[PaperId, Paper], frame: views.Frame
    ) -> views.DigestView:
        reading = self._token(Purpose.READING, order)
        return views.digest_view(
            digest,
            papers,
            frame,
            site=self._site,
            considered=order.considered,
            voting=self._site.voting(self._token(Purpose.FEEDBACK, order)),
            reading_url=self._site.reading(reading, digest.digest_on),
        )

    def _change_view(self, order: Order) -> views.ChangeAddressView:
        token = self._token(Purpose.CHANGE_ADDRESS, order, marked_address(order.token))
        return views.change_address_view(
            views.frame_for_stranger(order.to, self._identity),
            change_url=self._site.change_address(token),
            valid_days=CHANGE_DAYS,
        )

    def _manage(self, order: Order) -> views.Manage:
        if order.kind is MailKind.CHANGE_ADDRESS:  # a stranger's, it may be
            return views.Manage()
        leave = self._token(Purpose.UNSUBSCRIBE, order)
        return views.Manage(
            preferences_url=self._site.preferences(self._token(Purpose.PREFERENCES, order)),
            unsubscribe_url=self._site.unsubscribe(leave),
            unsubscribe_mailto=unsubscribe_mailto(self._leave_at, leave),
        )

    def _token(self, purpose: Purpose, order: Order, what: str = "") -> str:
        payload = f"{order.subscriber.id}:{what}" if what else str(order.subscriber.id)
        return self._tokens.sign(purpose, payload, order.queued_at)

    def _sample(self) -> message.Letter:
        identity = self._identity
        return message.Letter(
            sender=message.Mailbox(address=identity.address, name=identity.name),
            recipient=self._leave_at,
            subject=identity.name,
            text="",
            html=None,
            message_id="<sample@example.com>",
            date=datetime(2026, 1, 1, tzinfo=UTC),
            reply_to=identity.reply_to or None,
            mailing_list=self._list(views.Manage()),
        )

    def _letter(self, order: Order, rendered: Rendered, manage: views.Manage) -> message.Letter:
        identity = self._identity
        return message.Letter(
            sender=message.Mailbox(address=identity.address, name=identity.name),
            recipient=order.to,
            subject=rendered.subject,
            text=rendered.quoted_text,
            html=rendered.quoted_html,
            message_id=order.message_id,
            date=order.queued_at,
            reply_to=identity.reply_to or None,
            mailing_list=self._list(manage),
            unsubscribe_url=manage.unsubscribe_url,
            unsubscribe_mailto=manage.unsubscribe_mailto,
            feedback_id=_feedback_id(order.queued_at.date(), order.kind, identity.address),
        )

    def _list(self, manage: views.Manage) -> message.ListInfo:
        identity = self._identity
        owner = _written_to(identity.contact or identity.address)
        return message.ListInfo(
            id=f"digest.{_domain(identity.address)}",
            name=identity.name,
            help=manage.preferences_url or owner,
            owner=owner,
            archive=self._site.archive(),
        )


@lru_cache(maxsize=8)
def _domain(address: str) -> str:
    return message.wire_address(address).rpartition("@")[2]


@lru_cache(maxsize=8)
def _written_to(contact: str) -> str:
    """The link by which one writes to a contact, which may be one already."""
    return contact if ":" in contact else f"mailto:{message.wire_address(contact)}"


@lru_cache(maxsize=64)
def _feedback_id(day: date, kind: MailKind, address: str) -> str:
    """Day, kind and domain, by which Gmail's Postmaster Tools count complaints, and last the sender
    in 5 to 15 characters (support.google.com/mail/answer/6254652).
    """
    domain = _domain(address)
    sender = f"tp{sha256(domain.encode()).hexdigest()[:10]}"
    return f"{day:%Y%m%d}:{kind.value}:{domain}:{sender}"


def _order(row: Claimed, considered: int | None) -> Order:
    return Order(
        kind=row.kind,
        subscriber=row.subscriber,
        message_id=row.message_id,
        queued_at=row.queued_at,
        token=row.token,
        recipient=row.recipient,
        digest=row.digest,
        considered=considered,
    )


def considered(session: Session, edition_id: int | None) -> int | None:
    """How many papers an edition chose from."""
    if edition_id is None:
        return None
    return count_candidates(session, editions.by_id(session, EditionId(edition_id)))


def papers_of(session: Session, order: Order) -> dict[PaperId, Paper]:
    """The papers of an order's digest, as far as the store still has them."""
    picks = order.digest.picks if order.digest else ()
    return papers_by_id(session, [pick.paper_id for pick in picks])


def _with_known_papers(order: Order, papers: Mapping[PaperId, Paper]) -> Order:
    if order.digest is None:
        return order
    ids = {papers[pick.paper_id].id for pick in order.digest.picks if pick.paper_id in papers}
    if len(ids) == len(order.digest.picks):
        return order
    # two papers found to be one since then are one entry
    first = {papers[p.paper_id].id: p for p in reversed(order.digest.picks) if p.paper_id in papers}
    picks = tuple(pick for pick in order.digest.picks if pick in first.values())
    if not picks:
        raise NotFound("none of the digest's papers is in the store any more")
    return replace(order, digest=replace(order.digest, picks=picks))
