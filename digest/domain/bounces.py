"""What a refusal says about its recipient: gone for good, not now, or about us.

A living address called dead is lost for ever, a dead one called living is tried again; so HARD
needs a reason, and every doubt falls to SOFT or POLICY.
"""

import re
from enum import StrEnum

from digest.domain.bounce_words import (
    ABOUT_US,
    ABOUT_US_MAYBE,
    BLOCKLISTS,
    DOUBTS,
    GONE_MAYBE,
    GONE_WORDS,
    NOT_NOW,
    OF_OTHERS,
    SHUT,
    SPOKEN_OF,
)


class BounceKind(StrEnum):
    """What a refusal means for the address.

    HARD: the recipient does not exist (any more). SOFT: it may take mail another day. POLICY: the
    words are about us, our content or reputation, or the relay, never about the recipient's death.
    """

    HARD = "hard"
    SOFT = "soft"
    POLICY = "policy"


class Stage(StrEnum):
    """The SMTP command that was refused, where it is known."""

    UNKNOWN = ""
    CONNECT = "connect"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"


_READ_MOST = 4_000
_KNOWN = (ABOUT_US, NOT_NOW, SHUT, GONE_WORDS, GONE_MAYBE, ABOUT_US_MAYBE)
_CODES_MOST = 20
_ENHANCED = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)")
_URL = re.compile(r"\bhttps?://\S{1,300}", re.IGNORECASE)
_HOST = re.compile(
    r"\b[\w-]{1,63}(?:\.[\w-]{1,63}){0,6}\.(?:com|net|org|edu|gov|info|biz|io|eu|de|fr|uk|nl|pl|es|ch"
    r"|se|cz|ru|jp|cn|kr|tw|br|ca|au)\b"
)
_ADDRESS = re.compile(r"[^\s<>@]{1,64}@[\w.-]{1,255}")
# RFC 3463 and IANA's enumerated codes: no mailbox, no system, bad syntax, moved without a forward,
# null MX; 5.4.310 is Exchange Online's "DNS domain does not exist".
_GONE = frozenset({(1, 1), (1, 2), (1, 3), (1, 6), (1, 10), (4, 310)})
_NULL_MX = 556  # RFC 7504
_CONTENT = 6  # RFC 3463 §3.7: the subject that is about the message
_SENDERS = frozenset({(1, 7), (1, 8)})
# Answers to RCPT that say what the code leaves open.
_EDGE_BLOCK = re.compile(r"recipient address rejected: access denied")  # Exchange: not in directory
_NO_MAIL_HOST = re.compile(
    r"does not accept (?:any )?mail|not accepting network messages|indicated no smtp"
)
_NOBODY = frozenset({550, 551, 553})  # RFC 5321 §4.2.2: no mailbox, not here, no name for one
_NO_DETAIL = frozenset({None, (0, 0), (1, 0), (5, 0)})
_POSTFIX = re.compile(r"\brecipient (?:address )?rejected\b:?")  # any reason may follow
# NTT docomo says so, without an enhanced code, of living users who refuse a sender's domain.
# Likewise of the message, once the server has taken the recipient.
_TERSE = re.compile(r"\bunknown user|user unknown|no such user")
_REFUSED_BY_USER = re.compile(r"(?:^|\b5\d\d[\s-]+['\"]?)unknown user\b(?!:)")


def classify(code: int, reply: str, *, stage: Stage = Stage.UNKNOWN) -> BounceKind:
    """Classify a refusal by its enhanced status code (RFC 3463) and its words.

    `code` is the SMTP reply code, 0 where none is known; `stage` is the command that was refused.
    """
    said = " ".join(reply[:_READ_MOST].lower().split())
    status = status_of(said)
    if code // 100 == 4 or (status and status[0] == 4):
        return BounceKind.SOFT
    detail = status[1:] if status else None
    words = _words(said)
    if stage in (Stage.MAIL, Stage.CONNECT) or detail in _SENDERS:
        return BounceKind.POLICY
    if detail and detail[0] == _CONTENT:
        return BounceKind.POLICY
    if detail in _GONE and GONE_WORDS.search(words) and not OF_OTHERS.search(words):
        return BounceKind.HARD  # two witnesses: what else is said is a hint or a footer
    if ABOUT_US.search(words) or BLOCKLISTS.search(said):
        return BounceKind.POLICY
    if NOT_NOW.search(words):
        return BounceKind.SOFT
    if _is_gone(code, words, detail, stage) or code == _NULL_MX:
        return BounceKind.HARD
    if SHUT.search(words) or (detail and detail[0] in (1, 2, 4)):
        return BounceKind.SOFT
    if ABOUT_US_MAYBE.search(words) or (detail and detail[0] in (3, 5, 7)):
        return BounceKind.POLICY
    return BounceKind.SOFT


def tells_why(reply: str) -> bool:
    """Whether a reply gives a reason in words that are known, whatever its codes."""
    said = " ".join(reply[:_READ_MOST].lower().split())
    words = _words(said)
    return bool(BLOCKLISTS.search(said)) or any(known.search(words) for known in _KNOWN)


def status_of(said: str) -> tuple[int, int, int] | None:
    """The most telling enhanced code in a text: the first that says more than x.y.0 or x.0.0.

    A relay that wraps another's answer puts its own general code in front.
    """
    codes: list[tuple[int, int, int]] = []
    for match in _ENHANCED.finditer(said):
        codes.append((int(match[1]), int(match[2]), int(match[3])))
        if len(codes) >= _CODES_MOST:
            break
    telling = (found for found in codes if found[0] != 2 and found[2])
    return next(telling, None) or next((found for found in codes if found[0] != 2), None)


def _is_gone(code: int, words: str, detail: tuple[int, int] | None, stage: Stage) -> bool:
    """Whether nothing speaks for the recipient's being there; `detail` is subject and detail of the
    enhanced code.
    """
    if detail in _GONE or _NO_MAIL_HOST.search(words):
        return True
    if detail == (4, 1) and _EDGE_BLOCK.search(words):
        return True
    if stage is not Stage.RCPT and _REFUSED_BY_USER.search(words):
        return False
    if stage is Stage.DATA and _TERSE.search(words):
        return False
    if detail and detail[0] == 2 and detail[1] and (detail[1] != 1 or stage is not Stage.RCPT):
        return False  # the mailbox is there: shut, full or too small
    if SHUT.search(words):
        return False
    if GONE_WORDS.search(words):
        return True
    if ABOUT_US_MAYBE.search(words):
        return False
    return bool(GONE_MAYBE.search(words)) or _is_bare(code, words, detail, stage)


def _is_bare(code: int, words: str, detail: tuple[int, int] | None, stage: Stage) -> bool:
    """Whether RCPT was refused without a reason, which RFC 5321 §4.2.2 reads as "no mailbox"."""
    if stage is not Stage.RCPT or code not in _NOBODY or detail not in _NO_DETAIL:
        return False
    rest = " ".join(_POSTFIX.sub(" ", words).split())
    return bool(SPOKEN_OF.search(rest)) and not DOUBTS.search(rest)


def _words(said: str) -> str:
    """The text without its links, addresses and host names, which may have any words in them."""
    plain = said.replace("\u2019", "'").replace("can't", "cannot").replace("n't", " not")
    bare = _HOST.sub(" host ", _ADDRESS.sub(" address ", _URL.sub(" ", plain)))
    return " ".join(bare.split())
