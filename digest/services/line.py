"""The line: messages that the limits put off, given back to the queue until they may go."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlmodel import Session

from digest.domain.deliveries import DeliveryId
from digest.domain.limits import recipient_domain
from digest.services.post import Delivered, DeliverOptions, Post
from digest.services.restraint import Restraint
from digest.store import ledger
from digest.store.database import transaction

Waiting = Mapping[DeliveryId, tuple[str, datetime]]
"""Messages that may not begin yet: to whom, and until when the limits let them wait at least."""


class Line:
    """One run's line; what waits in it stands in its `summary`."""

    def __init__(
        self, post: Post, options: DeliverOptions, restraint: Restraint, summary: Delivered
    ) -> None:
        self._post = post
        self._owner = options.owner
        self._restraint = restraint
        self._summary = summary
        self._waiting: dict[DeliveryId, datetime] = {}
        self._closed: dict[str, datetime] = {}  # domains that the limits let wait, until when
        self._ahead = post.clock() - post.wall()

    def due(self) -> datetime:
        """The instant by which rows are due: the clock, which goes on where it was set."""
        return max(self._post.clock(), self._post.wall() + self._ahead)

    def close(self, recipient: str, until: datetime) -> None:
        """The domain of this recipient may not be mailed for a while: asking for each of thousands
        would keep all others waiting.
        """
        self._closed[recipient_domain(recipient)] = until

    def closed(self, rows: Sequence[ledger.Claimed]) -> Waiting:
        """Those of closed domains."""
        now = self._post.wall()
        open_again = {domain: at for domain, at in self._closed.copy().items() if at > now}
        waiting = {}
        for row in rows if open_again else ():
            if until := open_again.get(recipient_domain(row.recipient)):
                waiting[row.id] = (row.recipient, until)
        return waiting

    def put_off(self, waiting: Waiting) -> dict[DeliveryId, datetime]:
        """Give claimed messages back, in a transaction of its own."""
        with transaction(self._post.engine) as session:
            return self.put_off_in(session, waiting)

    def put_off_in(self, session: Session, waiting: Waiting) -> dict[DeliveryId, datetime]:
        """Until when they wait; those are left out that another transaction holds."""
        emails, not_before = zip(*waiting.values(), strict=True)
        instants = self._restraint.back_in_line(session, emails, not_before)
        until = dict(zip(waiting, instants, strict=True))
        ahead = self.due() - self._post.wall()
        due = {number: instant + ahead for number, instant in until.items()}
        given = ledger.put_off(session, self._owner, due)
        return {number: until[number] for number in until if number in given}

    def tell(self, until: Mapping[DeliveryId, datetime]) -> None:
        """Let the summary know that these were put off."""
        self._waiting |= until
        if until:
            self._sum_up()

    def begun(self, number: DeliveryId) -> None:
        """This one waits no longer."""
        self._waiting.pop(number, None)

    def next_at(self) -> datetime | None:
        """When the first of them may go."""
        self._sum_up()
        return self._summary.again_at

    def pass_on(self) -> None:
        """Forget those whose time has come: they are claimed again, by whomever."""
        now = self._post.wall()
        self._waiting = {number: at for number, at in self._waiting.items() if at > now}
        self._sum_up()

    def _sum_up(self) -> None:
        self._summary.waiting, self._summary.again_at = (
            len(self._waiting),
            min(self._waiting.values(), default=None),
        )
