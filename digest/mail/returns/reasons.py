"""The server's own words within a notice: its reply, and the command that it refused."""

import re
from dataclasses import dataclass

from digest.domain.bounces import BounceKind, Stage, classify, status_of, tells_why
from digest.mail.returns.addresses import ADDRESS

_DETAIL_MOST = 500
_READ_MOST = 6_000
_REPLY = re.compile(
    r"(?<![\w.:/@-])([45]\d\d)(?:[ -]{1,3}(?=#?[45]\.\d{1,3}\.\d{1,3}|[A-Za-z<\"'\[(])|: (?=\S))"
)
_STAGES = re.compile(
    r"(?P<mail>(?:after|to|<<<|>>>|our|\[) ?(?:the )?mail[ _]from|does not like sender"
    r"|command mail)"
    r"|(?P<rcpt>(?:after|to|for|<<<|>>>|our|host|smtp:) ?(?:the )?rcpt\b|does not like recipient"
    r"|rejected recipient|\brcpt (?:to )?command|\[rcpt_to|(?m:^[ \t]*rcpt to:))"
    r"|(?P<data>end of (?:message|data)|after data|(?:<<<|>>>) ?data\b|sent the message"
    r"|smtp command\s+data\b|to (?:the )?data\b|\(data\))"
    r"|(?P<connect>initial connection|refused to talk to me|h?ehlo handshake"
    r"|while performing the he)",
    re.IGNORECASE,
)
_SUBJECT_LINE = re.compile(r"(?im)^[ \t>]*(?:subject|betreff|objet|asunto|oggetto|件名)[ \t]*:.*$")
_TYPED = re.compile(r"^\s*[\w-]{1,30}\s*;\s*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """Why a recipient was not reached."""

    status: str
    detail: str
    kind: BounceKind


def reason_in(text: str) -> Reason:
    """The reason given in free text: the server's reply if one is quoted, else all that is said."""
    said = _SUBJECT_LINE.sub("", text[:_READ_MOST])  # the original's, in Exchange's notices
    reply = _REPLY.search(said)
    if not reply:
        return _reason(0, _told(said), said, stage_in(said))
    quoted = said[reply.start() :].split("\n\n")[0]
    stage = stage_in(said[: reply.start()], last=True)
    if stage is Stage.UNKNOWN:
        stage = stage_in(said[reply.start() :])
    return _reason(int(reply[1]), quoted, quoted, stage)


def _told(said: str) -> str:
    """What follows the first address, where that gives a reason: before it stands a set text."""
    named = ADDRESS.search(said)
    rest = said[named.start() :] if named else ""
    return rest if tells_why(rest) else said


def reason_of(status: str, diagnostic: str, notice: str) -> Reason:
    """The reason given by the fields of RFC 3464; the notice is asked where they say nothing."""
    said = _TYPED.sub("", diagnostic).strip()
    reply = _REPLY.search(said[:200])
    code = int(reply[1]) if reply else 0
    if status.lstrip().startswith("4"):
        return _reason(code, f"{status} {said}", said or status, Stage.UNKNOWN)
    own = status_of(said.lower())
    words = said if own and own[2] else f"{status} {said}"
    if said and (tells_why(said) or (own and own[2]) or not tells_why(notice)):
        return _reason(code, words, said, stage_in(notice))
    told = reason_in(notice)
    found = _reason(0, f"{status} {told.detail}", told.detail or status, stage_in(notice))
    if found.kind is BounceKind.HARD:
        return found
    return _reason(0, f"{status} {notice}", told.detail or status, stage_in(notice))


def stage_in(text: str, *, last: bool = False) -> Stage:
    """The SMTP command that a text names first, or last."""
    stage = Stage.UNKNOWN
    for match in _STAGES.finditer(text[:_READ_MOST]):
        stage = Stage(match.lastgroup or "")
        if not last:
            break
    return stage


def _reason(code: int, words: str, detail: str, stage: Stage) -> Reason:
    status = status_of(words.lower())
    return Reason(
        status=".".join(map(str, status)) if status else "",
        detail=" ".join(detail.split())[:_DETAIL_MOST],
        kind=classify(code, words, stage=stage),
    )
