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


class Line:
    """One run's line; what waits in it stands in its `summary`."""

    def __init__(
        self, post: Post, options: DeliverOptions, restraint: Restraint, summary: Delivered
    ) -> None:
        self._post = post
        self._owner = options.owner
        self._restraint = restraint
        self._summary = summary
        self._waiting: set[DeliveryId] = set()
        self._closed: dict[str, datetime] = {}  # domains that the limits let wait, until when
        self._again_at: datetime | None = None
        self._ahead = post.clock() - post.wall()

    def due(self) -> datetime:
        """The instant by which rows are due: the clock, which goes on where it was set."""
        return max(self._post.clock(), self._post.wall() + self._ahead)

    def close(self, recipient: str, until: datetime) -> None:
        """The domain of this recipient may not be mailed for a while: asking for each of thousands
        would keep all others waiting.
        """
        self._closed[recipient_domain(recipient)] = until

    def closed(self, rows: Sequence[ledger.Claimed]) -> dict[DeliveryId, str]:
        """Those of closed domains, with their recipients."""
        now = self._post.wall()
        domains = {domain for domain, until in self._closed.copy().items() if until > now}
        emails = {row.id: row.subscriber.email for row in rows if domains}
        return {number: to for number, to in emails.items() if recipient_domain(to) in domains}

    def put_off(self, waiting: Mapping[DeliveryId, str]) -> dict[DeliveryId, datetime]:
        """Give claimed messages back, in a transaction of its own."""
        with transaction(self._post.engine) as session:
            return self.put_off_in(session, waiting)

    def put_off_in(
        self, session: Session, waiting: Mapping[DeliveryId, str]
    ) -> dict[DeliveryId, datetime]:
        """Until when they wait; those are left out that another transaction holds."""
        instants = self._restraint.back_in_line(session, list(waiting.values()))
        until = dict(zip(waiting, instants, strict=True))
        ahead = self.due() - self._post.wall()
        due = {number: instant + ahead for number, instant in until.items()}
        given = ledger.put_off(session, self._owner, due)
        return {number: until[number] for number in until if number in given}

    def tell(self, until: Mapping[DeliveryId, datetime]) -> None:
        """Let the summary know that these were put off."""
        self._waiting |= until.keys()
        self._again_at = min(filter(None, (self._again_at, *until.values())), default=None)
        if until:
            self._summary.waiting = len(self._waiting)
            self._summary.again_at = self._again_at

    def begun(self, number: DeliveryId) -> None:
        """This one waits no longer."""
        self._waiting.discard(number)

    def next_at(self) -> datetime | None:
        """When the first that was put off since this was last asked may go."""
        until, self._again_at = self._again_at, None
        return until

    def clear(self) -> None:
        """The wait is over: what is still behind the limits will be put off once more."""
        self._waiting.clear()  # others may have sent them
        self._summary.waiting, self._summary.again_at = 0, None
