"""Claims: rows of the ledger leased to this run, and made into messages to send."""

from datetime import datetime

from digest.domain.deliveries import DeliveryId
from digest.services.line import Line
from digest.services.mailroom import Outgoing
from digest.services.post import DeliverOptions, Post
from digest.store import ledger
from digest.store.clock import steady
from digest.store.database import reading, transaction


class Claims:
    """One run's claims."""

    def __init__(self, post: Post, options: DeliverOptions, line: Line) -> None:
        self._post = post
        self._options = options
        self._line = line
        self._checked = False
        self._until = float("inf")

    @property
    def until(self) -> float:
        """The steady second at which the first of its leases may run out."""
        return self._until

    def take(self, most: int) -> tuple[list[Outgoing], dict[DeliveryId, datetime]]:
        """Messages to send, and those that were claimed and given back for the limits."""
        post, options = self._post, self._options
        ends = steady() + options.lease.total_seconds()
        with transaction(post.engine) as session:
            rows = ledger.claim(
                session,
                options.owner,
                self._line.due(),
                options.lease,
                most,
                only=options.only,
                wall=post.wall(),
            )
            if rows and not self._checked:
                post.mailroom.check()  # a wrong template gives all of them back
                self._checked = True
            closed = self._line.closed(rows)
            put_off = self._line.put_off_in(session, closed) if closed else {}
        if rows:
            self._until = min(self._until, ends)
        to_send = [row for row in rows if row.id not in put_off]
        with reading(post.engine) as session:  # on SQLite the others may write meanwhile
            return post.mailroom.outgoing(session, to_send), put_off

    def renew(self) -> None:
        """Extend all of its leases, by the store's clock as it is now."""
        self._post.sync()
        ends = steady() + self._options.lease.total_seconds()
        with transaction(self._post.engine) as session:
            ledger.renew(session, self._options.owner, self._post.wall(), self._options.lease)
        self._until = ends
