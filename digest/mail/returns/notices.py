"""Bounces in prose: what a mail system wrote for a human."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from digest.domain.bounces import BounceKind
from digest.mail.returns.addresses import (
    ADDRESS,
    addresses_in,
    clean,
    of_field,
    recipient_of,
    unique,
)
from digest.mail.returns.parts import Fields, Part, header_block, plain_of
from digest.mail.returns.reasons import reason_in

NOTICE_MOST = 60_000
NAMED_MOST = 50
_LINES_MOST = 2_000
_SEPARATOR = re.compile(
    r"(?:original|returned|undelivered|unsent|bounced)\b.{0,20}"
    r"\b(?:message|e-?mail|mail|header|text|mes)|copy of (?:the|your|this)|"
    r"(?:message|mail|headers?)(?: text| headers?| contents?)? (?:is )?follow|start of returned"
    r"|mensaje original|d'origine|"
    r"urspr.ngliche|original-?nachricht|kopie der|元の?メ|исходн|原(?:始|邮件)",
    re.IGNORECASE,
)
_HEAD_LINE = re.compile(
    r"[>|\s]{0,8}(return-path|received|from|to|cc|subject|date|message-id|mime-version|reply-to"
    r"|sender"
    r"|content-type|delivered-to|dkim-signature|x-[\w-]{1,40})[ \t]*:",
    re.IGNORECASE,
)
_TELLING_HEADS = frozenset(
    {"return-path", "received", "message-id", "mime-version", "dkim-signature"}
)
_FROM_SYSTEM = re.compile(
    r"mailer[-_. ]?daemon|mail[-_. ]?(?:delivery|administrator|system|server|router|service)"
    r"|post[-_. ]?master|mdaemon|delivery[-_. ](?:sub)?system|\bndr\b|^\W*<\s*>|sysadmin@|daemon@",
    re.IGNORECASE,
)
_TITLE_WITHIN = 12
_DAEMON = re.compile(r"mailer[-_. ]?daemon", re.IGNORECASE)
_LIST_ROBOT = re.compile(r"-(?:admin|owner|request|bounces)@", re.IGNORECASE)
_SUBJECT = re.compile(
    r"undeliver|un-?deliverable|deliver\w{0,9} (?:\w+ ){0,3}(?:fail|status|notif|report|problem"
    r"|error|warn)"
    r"|failed mail|(?:failure|error) (?:notice|notification|deliver|sending)"
    r"|returned (?:e-?)?mail|mail (?:\w+ )"
    r"?(?:fail|error|return)|(?:could|can|was|were) ?not (?:be )?(?:deliver|sent)|not delivered"
    r"|bounce"
    r"|error sending|non[- ]deliver|delivery has|are not (?:a )?member|loop alert"
    r"|returned to sender"
    r"|unzustellbar|non remis|échec|no se (?:ha )?pud?o?(?:ido)? entreg|não (?:foi )?entreg"
    r"|mancat[ao] (?:consegna|recapito)|не ?доставл|недоставлен"
    r"|配信(?:でき|不能|エラー)|送信(?:でき|エラー)"
    r"|配信失敗|退信|投递失败|邮件发送失败|無法傳遞|onbestelbaar|kunde inte levereras",
    re.IGNORECASE,
)
_REPLIED = re.compile(r"^\s*(?:re|fwd?|aw|wg|sv|antw)\s*:", re.IGNORECASE)
_SAID = re.compile(
    r"(?:not|n't|never) (?:\w+ ){0,3}(?:be )?(?:deliver|sent\b|reach|accept)"
    r"|unable to (?:deliver|send)"
    r"|undeliver|deliver\w{0,9} (?:\w+ ){0,6}(?:fail|abort|delay|problem)"
    r"|failed (?:\w+ ){0,3}(?:recipient"
    r"|address|deliver|permanent)|fail(?:ed|ure|ing)\b|permanent(?:ly)? (?:error|fatal)|reject"
    r"|bounced"
    r"|returned|was not|have not|error|mailbox|quota|invalid|unknown|did not|refused|undelivered"
    r"|(?:не|nicht|non|pas|no|não|niet|inte)\s+(?:\w+\s+){0,4}(?:достав|zugestellt|remis"
    r"|consegn|entreg)"
    r"|配信|送信|宛先|送达|无法|投递|退回|없습니다|n'a pas pu",
    re.IGNORECASE,
)
_UNDELIVERED = re.compile(
    r"(?:could|can|was|were) ?(?:not|n't) (?:be )?delivered|unable to deliver|failed to deliver"
    r"|deliver\w{0,9} (?:\w+ ){0,6}(?:failed|aborted)|undeliver|did not reach|no such user",
    re.IGNORECASE,
)
_ROBOT_CODE = re.compile(r"(?<![\w.])[45]\d\d[ -]|#?\b[45]\.\d{1,3}\.\d{1,3}\b")
_DELAY = re.compile(
    r"warning message only|not need to resend|has been delayed|will be retried"
    r"|still being attempted"
    r"|will (?:continue|keep) trying|temporarily deferred|postponed"
    r"|not yet (?:been )?(?:received|delivered)"
    r"|delivery (?:will be|is) (?:re)?(?:tried|attempted)|no action is required",
    re.IGNORECASE,
)
_DELAY_SUBJECT = re.compile(r"\bdelay|\bwarning\b|отложен|verzöger|retard", re.IGNORECASE)
_BULLET = r"[\s>*•·+|\-\"'(\[{<]{0,20}"
_LEADING = re.compile(
    rf"^{_BULLET}({ADDRESS.pattern})[>\"'\])}}]{{0,3}}\s*(?:$|:|\.\.\.|[;,(]|-\s|\s-\s|\s\[)"
)
_REFUSED = re.compile(rf"^\s*5\d\d[ -](?:5\.\d\.\d{{1,3}} )?<({ADDRESS.pattern})>")  # Sendmail's
_CUE = re.compile(
    r"(?:rcpt to|recipients?|address(?:ee)?|undeliverable to|addressed to|deliver\w{0,9}|error-for"
    r"|failed"
    r"|account|user|mailbox|message|e?-?mail|mailing list|intended for|reach|send|sent|to|for)\b"
    rf"[^\n@]{{0,40}}?[\s<'\":\[(]({ADDRESS.pattern})",
    re.IGNORECASE,
)
_EARLIER = re.compile(
    rf"\(?(?:expanded|generated|forwarded|aliased) (?:from|by):?\s*<?({ADDRESS.pattern})",
    re.IGNORECASE,
)
_FOR = re.compile(r"\bfor (<[^<>\s]{3,320}>)")
_ROLE = re.compile(
    r"^(?:mailer-daemon|postmaster|abuse|support|help(?:desk)?|no-?reply|admin\w*|webmaster)@", re.I
)
_NO_RECIPIENT_FIELD = re.compile(
    r"(?im)^[ \t]*(?:from|sender|reply-to|message-id|return-path|mail from|cc|date"
    r"|subject)[ \t]*:.*$"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """The words of a mail before the original, and the original's heads where one came with it."""

    text: str
    originals: tuple[Fields, ...]

    @property
    def recipients(self) -> list[str]:
        """Whom the originals were addressed to."""
        heads = self.originals[:3]
        named = of_field(value for head in heads for value in head.all("to", "x-rcpt-to"))
        passed = (value for head in heads for value in head.all("received")[:30])
        return named or of_field(found for value in passed for found in _FOR.findall(value))


def notice_of(parts: list[Part]) -> Notice:
    """Split what was written for a human from what was returned."""
    heads = [part.fields for part in parts if part.level and not part.text and part.fields]
    texts: list[str] = []
    own = [part for part in parts if not part.level and not part.attached]
    written = [part.text for part in own if not part.kind.endswith("/html") and _is_prose(part)]
    if not any(text.strip() for text in written):
        written = [plain_of(part.text[: NOTICE_MOST * 2]) for part in own if "html" in part.kind]
    for text in written:
        said, original = split_original(text[: NOTICE_MOST * 4])
        texts.append(said)
        if original:
            heads.append(original)
    return Notice(text="\n\n".join(texts)[:NOTICE_MOST], originals=tuple(heads))


def split_original(text: str) -> tuple[str, Fields | None]:
    """The words before a returned message in the same text, and that message's head."""
    lines = text.split("\n", _LINES_MOST)
    for at, line in enumerate(lines):
        if len(line) <= 160 and _SEPARATOR.search(line) and _head_follows(lines, at + 1):
            return "\n".join(lines[:at]), _head_at(lines, at + 1)
        if _HEAD_LINE.match(line) and not line[:1].isspace() and _is_block(lines, at):
            return "\n".join(lines[:at]), _head_at(lines, at)
    return text, None


def is_returned(fields: Fields, notice: Notice, *, report: bool) -> bool:
    """Whether a mail is a mail system's notice that something was not delivered.

    RFC 3834 §2: what answers by itself says `auto-replied`; so must a vacation, hence of a mail
    that says so more is asked for than words: a server's reply, or the recipients in a field.
    """
    if fields.get("x-failed-recipients"):
        return True
    subject = fields.get("subject")[:500]
    from_system = bool(_FROM_SYSTEM.search(fields.get("from")[:500]))
    no_sender = fields.get("return-path").strip() == "<>"
    title = None if _REPLIED.match(subject) else _SUBJECT.search(subject)
    machine = report or bool(_ROBOT_CODE.search(notice.text))
    if fields.get("auto-submitted").lower().startswith("auto-replied") and not machine:
        return False
    if _DAEMON.search(fields.get("from")[:500]) and (no_sender or not _REPLIED.match(subject)):
        return True
    told = bool(_UNDELIVERED.search(notice.text)) or reason_in(notice.text).kind is BounceKind.HARD
    if title and (from_system or no_sender or _LIST_ROBOT.search(fields.get("from")[:500])):
        return True
    if title and title.start() <= _TITLE_WITHIN:  # a person's subject has it further on, if at all
        return machine or (told and not fields.get("in-reply-to"))
    return (from_system or no_sender) and (told or (machine and bool(_SAID.search(notice.text))))


def is_delay(fields: Fields, notice: Notice) -> bool:
    """Whether the mail only tells that delivery takes longer."""
    if _DELAY_SUBJECT.search(fields.get("subject")[:500]):
        return bool(_DELAY.search(notice.text)) or "fail" not in notice.text.lower()
    return bool(_DELAY.search(notice.text)) and not re.search(
        r"permanent|giv(?:en|ing) up|\bfailed\b", notice.text, re.IGNORECASE
    )


def named_in_fields(fields: Fields) -> list[str]:
    """Recipients that Exim, Gmail and others name in a header field."""
    return unique(
        recipient_of(piece)
        for value in fields.all("x-failed-recipients")
        for piece in value[:5_000].split(",")[:50]
    )


def named_in_text(notice: Notice, ours: Iterable[str]) -> list[str]:
    """Recipients that a notice names: at a line's start, else after words that tell of one.

    `ours` are addresses that the notice was sent from and to.
    """
    lines = [line[:400] for line in notice.text.split("\n")[:_LINES_MOST]]
    for pattern in (_LEADING, _REFUSED):
        found = _no_roles(clean(named[1]) for line in lines if (named := pattern.match(line)))
        if found:
            return found
    rest = _NO_RECIPIENT_FIELD.sub("", notice.text)
    own = {address.casefold() for address in ours}
    cued = _no_roles(clean(found[1]) for found in _CUE.finditer(rest))
    known = {address.casefold() for address in notice.recipients}
    for chosen in (
        [address for address in cued if address.casefold() in known],
        [address for address in cued if address.casefold() not in own],
        [address for address in _no_roles(addresses_in(rest)) if address.casefold() not in own],
    ):
        if chosen:
            return chosen
    return cued[:1]


def piece_about(notice: Notice, address: str, others: Iterable[str]) -> str:
    """The part of a notice that tells of one recipient, up to where it tells of the next."""
    text, low = notice.text, notice.text.casefold()
    rest = [other.casefold() for other in others if other.casefold() != address.casefold()]
    if not rest:
        return text
    start = max(low.find(address.casefold()), 0)
    ends = [end for other in rest if (end := low.find(other, start + len(address))) > start]
    return text[start : min(ends, default=len(text))]


def earlier_address(piece: str, address: str) -> str:
    """Whom the mail was sent to, where an alias led on to the address that failed."""
    at = piece.find(address)
    found = _EARLIER.search(piece[at : at + 400]) if at >= 0 else None
    return clean(found[1]) if found else address


def _is_prose(part: Part) -> bool:
    return part.kind in ("text/plain", "text") or "/" not in part.kind


def _head_follows(lines: list[str], at: int) -> bool:
    following = [line for line in lines[at : at + 12] if line.strip()][:2]
    return not following or any(_HEAD_LINE.match(line) for line in following)


def _is_block(lines: list[str], at: int) -> bool:
    """Whether a message's head starts here: several of its fields before the next empty line."""
    names: set[str] = set()
    for line in lines[at : at + 60]:
        if not line.strip():
            break
        if found := _HEAD_LINE.match(line):
            names.add(found[1].lower())
        elif not line[:1].isspace():
            break
    return len(names) >= 3 and bool(names & _TELLING_HEADS)


def _head_at(lines: list[str], at: int) -> Fields:
    rest = lines[at : at + 300]
    start = next((i for i, line in enumerate(rest) if _HEAD_LINE.match(line)), 0)
    margin = re.match(r"[>|\s]*", rest[start])[0] if start < len(rest) else ""  # type: ignore[index]
    return header_block("\n".join(line.removeprefix(margin) for line in rest[start:]))[0]


def _no_roles(addresses: Iterable[str]) -> list[str]:
    named = (address for address in unique(addresses) if not _ROLE.match(address))
    return list(islice(named, NAMED_MOST))
