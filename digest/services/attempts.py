"""Attempts: what the relay answers to each message of a run, and how much of that is believed."""

from collections.abc import Callable

from digest.domain.bounces import Stage
from digest.domain.breaker import Breaker
from digest.domain.deliveries import (
    Deferred,
    DeliveryId,
    Failed,
    InDoubt,
    NotTried,
    Result,
    State,
)
from digest.domain.limits import recipient_domain
from digest.errors import (
    DigestError,
    InDoubtError,
    PermanentMailError,
    RelayError,
    TransientMailError,
)
from digest.mail.transport import Connection
from digest.services.mailroom import Outgoing
from digest.services.post import Delivered
from digest.services.recorder import Recorder
from digest.store.clock import steady

PAUSED = "this process stood still for as long as its lease: what it held may be another's now"

Content = bytes | DigestError
"""A message, or why it cannot be made."""


async def attempt(
    connection: Connection,
    outgoing: Outgoing,
    content: Content,
    until: float,
    meanwhile: Callable[[], None],
) -> Result:
    """Send one message, if its lease has not run out by the steady second `until`; whatever happens
    is a result.

    `meanwhile` is called while the relay has it and has not answered.
    """
    if steady() >= until:
        return NotTried(detail=PAUSED)
    if isinstance(content, DigestError):  # this one message cannot be made; the others go on
        return Failed(code=0, reply=str(content))
    try:
        return await connection.send(
            outgoing.sender,
            outgoing.recipient,
            content,
            envelope_id=f"delivery-{outgoing.id}",
            meanwhile=meanwhile,
        )
    except TransientMailError as exc:
        return Deferred(code=exc.code, reply=exc.reply, stage=Stage(exc.stage))
    except PermanentMailError as exc:
        return Failed(code=exc.code, reply=exc.reply, stage=Stage(exc.stage))
    except InDoubtError as exc:
        return InDoubt(detail=str(exc))
    except RelayError as exc:
        return NotTried(detail=str(exc))


class Jury:
    """Believes a refusal for good where the relay has proved sound, at once or at the run's end."""

    def __init__(self, breaker: Breaker) -> None:
        self._breaker = breaker
        self._unproven: dict[DeliveryId, tuple[str, Failed]] = {}

    def judged(self, outgoing: Outgoing, result: Result) -> Result:
        """What to record: a refusal for good that may be the relay's own fault becomes one to try
        again. What was said of the same message before counts no more.
        """
        self._unproven.pop(outgoing.id, None)
        judged = self._breaker.judged(result, domain=recipient_domain(outgoing.recipient))
        if isinstance(result, Failed) and isinstance(judged, Deferred):
            self._unproven[outgoing.id] = (outgoing.recipient, result)
        return judged

    async def close(self, recorder: Recorder, summary: Delivered) -> None:
        """After a run in which the relay proved sound, what it refused for good has failed."""
        proven = self._breaker.proven
        for number, (recipient, result) in self._unproven.items() if proven else ():
            if await recorder.run(recorder.confirm, number, result):
                summary.move(State.DEFERRED, State.FAILED, recipient, result.reply)
