"""What follows from a mail that came back: suppress, unsubscribe, note it, or nothing."""

from enum import StrEnum


class EventKind(StrEnum):
    """What came back, by mail or by a relay's webhook, about one mail to one subscriber."""

    HARD = "hard"
    SOFT = "soft"
    POLICY = "policy"
    COMPLAINT = "complaint"
    UNSUBSCRIBE = "unsubscribe"
