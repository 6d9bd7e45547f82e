"""What a refusal says about its recipient: gone for good, not now, or about us."""

import re
from enum import StrEnum


class BounceKind(StrEnum):
    """What a refusal means for the address.

    HARD: the recipient does not exist (any more). SOFT: it may take mail another day. POLICY: the
    words are about us, our content or reputation, or the relay, never about the recipient's death.
    """

    HARD = "hard"
    SOFT = "soft"
    POLICY = "policy"


_ENHANCED = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_GONE = frozenset({(1, 1), (1, 2), (1, 3), (1, 6), (1, 10)})
_DEAD_WORDS = re.compile(
    r"user (?:is )?unknown|unknown user|no such (?:user|mailbox|recipient)|does(?: not|n't) exist",
    re.IGNORECASE,
)


def classify(code: int, reply: str) -> BounceKind:
    """Classify a refusal by its enhanced status code (RFC 3463), then by its words.

    `code` is the SMTP reply code, 0 where none is known.
    """
    match = _ENHANCED.search(reply)
    if code // 100 == 4 or (match and match[1] == "4"):
        return BounceKind.SOFT
    if match and (int(match[2]), int(match[3])) in _GONE:
        return BounceKind.HARD
    if match and match[2] == "7":
        return BounceKind.POLICY
    if match and match[2] == "2":
        return BounceKind.SOFT
    if _DEAD_WORDS.search(reply):
        return BounceKind.HARD
    return BounceKind.POLICY if match and match[2] in "356" else BounceKind.SOFT
