"""Who may join, and who may come back: what follows when an address is typed into a form.

The web answers everybody alike; what is decided here is seen in the mailbox alone. For each
standing, by the person's own form and by the operator's hand:

new: is asked to confirm.
pending: is asked again, about the newest wishes; the operator edits instead.
active, paused: get a link to their settings, since they, or somebody else, forgot; nothing changes.
unsubscribed: may come back, but only by their own act, and confirms anew.
bounced: the address does not exist; asking it again and again costs the good name of the sender.
bounced long ago: after 30 days it may exist (again); if not, the next bounce ends it again.
complained: never again; who calls wanted mail spam once does it twice, and receivers count it.
requested: the operator promised never to write; only the operator can take that back.
erased: nothing is known of them but a keyed hash, so they come as somebody new, by their own act.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from digest.domain.subscribers import Channel, Status, SuppressionReason

BOUNCE_HOLDS = timedelta(days=30)


class Standing(StrEnum):
    """How an address stands with us, suppressions included."""

    NEW = "new"
    PENDING = "pending"
    ACTIVE = "active"
    PAUSED = "paused"
    UNSUBSCRIBED = "unsubscribed"
    BOUNCED = "bounced"
    BOUNCED_LONG_AGO = "bounced long ago"
    COMPLAINED = "complained"
    REQUESTED = "requested"
    ERASED = "erased"


class Answer(StrEnum):
    """What follows: pending and a mail that asks to confirm; a mail with the link to one's own
    settings; or nothing at all.
    """

    CONFIRM = "confirm"
    REMIND = "remind"
    NOTHING = "nothing"


_CONFIRM, _REMIND, _NOTHING = Answer.CONFIRM, Answer.REMIND, Answer.NOTHING

_ANSWERS: dict[Standing, tuple[Answer, Answer, Answer]] = {
    #                          signs up  by operator  asks for their link
    Standing.NEW:              (_CONFIRM, _CONFIRM, _NOTHING),
    Standing.PENDING:          (_CONFIRM, _NOTHING, _CONFIRM),
    Standing.ACTIVE:           (_REMIND,  _NOTHING, _REMIND),
    Standing.PAUSED:           (_REMIND,  _NOTHING, _REMIND),
    Standing.UNSUBSCRIBED:     (_CONFIRM, _NOTHING, _NOTHING),
    Standing.BOUNCED:          (_NOTHING, _NOTHING, _NOTHING),
    Standing.BOUNCED_LONG_AGO: (_CONFIRM, _NOTHING, _NOTHING),
    Standing.COMPLAINED:       (_NOTHING, _NOTHING, _NOTHING),
    Standing.REQUESTED:        (_NOTHING, _NOTHING, _NOTHING),
    Standing.ERASED:           (_CONFIRM, _NOTHING, _NOTHING),
}  # fmt: skip

_SUPPRESSED = {
    SuppressionReason.COMPLAINT: Standing.COMPLAINED,
    SuppressionReason.REQUEST: Standing.REQUESTED,
    SuppressionReason.ERASED: Standing.ERASED,
}
_KNOWN = {
    Status.PENDING: Standing.PENDING,
    Status.ACTIVE: Standing.ACTIVE,
    Status.PAUSED: Standing.PAUSED,
    Status.UNSUBSCRIBED: Standing.UNSUBSCRIBED,
    Status.SUPPRESSED: Standing.REQUESTED,  # why is not known any more, so nobody may undo it
}


def standing(
    status: Status | None,
    suppressed: SuppressionReason | None,
    suppressed_at: datetime | None,
    now: datetime,
) -> Standing:
    """How an address stands: its subscriber's status and its suppression, None where there is
    none. A suppression says more than a status.
    """
    if suppressed is SuppressionReason.BOUNCE:
        fresh = suppressed_at is None or now - suppressed_at < BOUNCE_HOLDS
        return Standing.BOUNCED if fresh else Standing.BOUNCED_LONG_AGO
    if suppressed:
        return _SUPPRESSED[suppressed]
    return _KNOWN[status] if status else Standing.NEW


def answer(standing: Standing, channel: Channel) -> Answer:
    """What follows when that address signs up: by its owner's own FORM, or by the operator's CLI or
    IMPORT. Nobody signs up by a link or a mail.
    """
    own, operators, _ = _ANSWERS[standing]
    match channel:
        case Channel.FORM:
            return own
        case Channel.CLI | Channel.IMPORT:
            return operators
        case Channel.LINK | Channel.MAIL:
            return Answer.NOTHING


def answer_to_access(standing: Standing) -> Answer:
    """What follows when somebody asks for the link to that address's settings."""
    return _ANSWERS[standing][2]
