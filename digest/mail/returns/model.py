"""What a returned mail turns out to be."""

from dataclasses import dataclass
from enum import StrEnum

from digest.domain.bounces import BounceKind


class ReturnKind(StrEnum):
    """What a mail that came back is about; OTHER asks for nothing to be done."""

    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    UNSUBSCRIBE = "unsubscribe"
    AUTO_REPLY = "auto-reply"
    OTHER = "other"


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """One recipient who was not reached: why, as a status (RFC 3463, may be empty) and in words."""

    address: str
    status: str
    detail: str
    kind: BounceKind


@dataclass(frozen=True, kw_only=True, slots=True)
class Returned:
    """One mail that came back, as far as it could be understood. Nothing in it is proven.

    `failures`: of a BOUNCE the recipients not reached, of a COMPLAINT those who complain.
    `recipients`: everybody the mail speaks of as a recipient: besides the failures those whose mail
    is only delayed, and the author of an auto-reply.
    `addressed_to`: where the mail was sent to, and who sent the returned original, so that tokens
    in these addresses can be found. `message_ids`: of the original, in angle brackets.
    `unsubscribe_token` is what stands in the token's place of an opt-out, or of the link within a
    mail that is complained about, unverified; None where nothing does.
    `sender`: the From address, which anybody can write.
    `key` is the same whenever the same mail is read.
    """

    kind: ReturnKind
    failures: tuple[Failure, ...] = ()
    recipients: tuple[str, ...] = ()
    addressed_to: tuple[str, ...] = ()
    message_ids: tuple[str, ...] = ()
    unsubscribe_token: str | None = None
    sender: str = ""
    key: str
