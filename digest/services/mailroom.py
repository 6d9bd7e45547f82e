"""The mailroom: from rows of the ledger to mails as bytes.

What a mail says was decided when it was queued; here it is only put into words. The same row gives
the same bytes at every try, so that a receiver can fold what came twice.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from sqlmodel import Session

from digest.domain.deliveries import DeliveryId, MailKind
from digest.domain.digests import Digest
from digest.domain.editions import EditionId
from digest.domain.papers import Paper, PaperId
from digest.domain.subscribers import Subscriber
from digest.errors import DigestError, MailError, NotFound
from digest.mail import message, views
from digest.mail.links import Site, unsubscribe_mailto
from digest.mail.render import Rendered, Renderer
from digest.mail.tokens import Purpose, Tokens
from digest.store import editions
from digest.store.ledger import Claimed
from digest.store.papers import count_candidates, papers_by_id

CONFIRM_DAYS = 7


@dataclass(frozen=True, kw_only=True, slots=True)
class Mail:
    """One mail in words and as bytes."""

    rendered: Rendered
    content: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What one mail is to hold: the ledger's row, with the subscriber it is for.

    `digest` and `considered` belong to digests; `first_at` to welcomes.
    """

    kind: MailKind
    subscriber: Subscriber
    message_id: str
    queued_at: datetime
    token: str = ""
    digest: Digest | None = None
    considered: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Outgoing:
    """A claimed delivery ready to be sent; `content` makes its bytes, or says why it cannot."""

    id: DeliveryId
    sender: str
    recipient: str
    content: Callable[[], bytes | DigestError]


class Mailroom:
    """Puts orders into words and bytes, by the templates and the sender's identity."""

    def __init__(
        self, renderer: Renderer, tokens: Tokens, site: Site, identity: views.Identity
    ) -> None:
        self._renderer = renderer
        self._tokens = tokens
        self._site = site
        self._identity = identity

    @property
    def sender(self) -> str:
        """The envelope sender, to which the relay returns what it cannot deliver."""
        return self._identity.address

    def check(self) -> None:
        """Raise TemplateError before the first mail when a template is wrong."""
        self._renderer.check()

    def outgoing(self, session: Session, rows: Sequence[Claimed]) -> list[Outgoing]:
        """The claimed rows as messages to send, in their order; the papers are read at once."""
        ids = {pick.paper_id for row in rows if row.digest for pick in row.digest.picks}
        papers = papers_by_id(session, ids)
        totals = {
            number: considered(session, number) for number in {row.edition_id for row in rows}
        }
        return [
            Outgoing(
                id=row.id,
                sender=self.sender,
                recipient=row.subscriber.email,
                content=partial(self._content, _order(row, totals[row.edition_id]), papers),
            )
            for row in rows
        ]

    def _content(self, order: Order, papers: Mapping[PaperId, Paper]) -> bytes | DigestError:
        try:
            return self.mail(order, papers).content
        except DigestError as exc:
            return exc
        except Exception as exc:  # a damaged row must not stop the mails of others
            return MailError(f"the mail cannot be made: {type(exc).__name__}: {exc}")

    def mail(self, order: Order, papers: Mapping[PaperId, Paper]) -> Mail:
        """The mail; picks whose paper is not in `papers` (pruned since) are left out, and so is the
        second of two that were found to be one paper.

        Raises NotFound when none is left, TemplateError or InvalidInput when it cannot be made.
        """
        order = _with_known_papers(order, papers)
        manage = self._manage(order)
        view = self._view(order, papers, views.frame_of(order.subscriber, self._identity, manage))
        text_only = order.subscriber.preferences.text_only
        rendered = self._renderer.render(view, text_only=text_only)
        return Mail(
            rendered=rendered, content=message.compose(self._letter(order, rendered, manage))
        )

    def _view(
        self, order: Order, papers: Mapping[PaperId, Paper], frame: views.Frame
    ) -> views.MailView:
        subscriber = order.subscriber
        if order.kind is MailKind.DIGEST and order.digest:
            return views.digest_view(
                order.digest, papers, frame, site=self._site, considered=order.considered
            )
        if order.kind is MailKind.WELCOME:
            first_at = subscriber.next_digest_at or order.queued_at
            return views.welcome_view(frame, subscriber.preferences.schedule, first_at)
        token = self._tokens.sign(
            Purpose.CONFIRM, f"{subscriber.id}:{order.token}", order.queued_at
        )
        confirm_url = self._site.confirm(token)
        return views.confirm_view(frame, confirm_url=confirm_url, valid_days=CONFIRM_DAYS)

    def _manage(self, order: Order) -> views.Manage:
        payload = str(order.subscriber.id)
        leave = self._tokens.sign(Purpose.UNSUBSCRIBE, payload, order.queued_at)
        change = self._tokens.sign(Purpose.PREFERENCES, payload, order.queued_at)
        return views.Manage(
            preferences_url=self._site.preferences(change),
            unsubscribe_url=self._site.unsubscribe(leave),
            unsubscribe_mailto=unsubscribe_mailto(self._identity.address, leave),
        )

    def _letter(self, order: Order, rendered: Rendered, manage: views.Manage) -> message.Letter:
        identity = self._identity
        domain = message.wire_address(identity.address).rpartition("@")[2]
        owner = f"mailto:{message.wire_address(identity.address)}"
        return message.Letter(
            sender=message.Mailbox(address=identity.address, name=identity.name),
            recipient=order.subscriber.email,
            subject=rendered.subject,
            text=rendered.text,
            html=rendered.html,
            message_id=order.message_id,
            date=order.queued_at,
            mailing_list=message.ListInfo(
                id=f"digest.{domain}",
                name=identity.name,
                help=manage.preferences_url or owner,
                owner=owner,
                archive=self._site.url,
            ),
            unsubscribe_url=manage.unsubscribe_url,
            unsubscribe_mailto=manage.unsubscribe_mailto,
            feedback_id=f"{order.kind.value}:{domain}:trending-papers",
        )


def _order(row: Claimed, considered: int | None) -> Order:
    return Order(
        kind=row.kind,
        subscriber=row.subscriber,
        message_id=row.message_id,
        queued_at=row.queued_at,
        token=row.token,
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
    # two papers found to be one since then are one entry
    first = {papers[p.paper_id].id: p for p in reversed(order.digest.picks) if p.paper_id in papers}
    picks = tuple(pick for pick in order.digest.picks if pick in first.values())
    if not picks:
        raise NotFound("none of the digest's papers is in the store any more")
    return replace(order, digest=replace(order.digest, picks=picks))
