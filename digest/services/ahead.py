"""Contents made ahead: a connection that waits for the relay's answer makes one that is sent soon.

So behind a slow relay no connection waits until the others have made theirs. Nothing is decided by
it: a message begins only in its turn, and one that does not is thrown away.
"""

from collections.abc import Iterable

from digest.domain.deliveries import DeliveryId
from digest.errors import DigestError
from digest.services.mailroom import Outgoing

Content = bytes | DigestError


class Ahead:
    """The contents of one run's next messages, in the order in which they are lined up."""

    def __init__(self, most: int) -> None:
        """At most so many are kept."""
        self._most = most
        self._unmade: dict[DeliveryId, Outgoing] = {}
        self._made: dict[DeliveryId, Content] = {}

    def line_up(self, batch: Iterable[Outgoing]) -> None:
        """These come next."""
        self._unmade.update((outgoing.id, outgoing) for outgoing in batch)

    def make_one(self) -> None:
        """Make the first that is neither made nor asked for yet."""
        if self._unmade and len(self._made) < self._most:
            number = next(iter(self._unmade))
            self._made[number] = self._unmade.pop(number).content()

    def content(self, outgoing: Outgoing) -> Content:
        """The content of this one, which is forgotten."""
        self._unmade.pop(outgoing.id, None)
        made = self._made.pop(outgoing.id, None)
        return outgoing.content() if made is None else made
