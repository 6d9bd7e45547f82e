"""What people and their answering machines send: opt-outs and auto-replies."""

import re
from collections.abc import Iterable

from digest.mail.returns.parts import Fields

_REPLY = (
    r"(?:(?:re|fwd?|aw|wg|sv|vs|antw|odp|rv|r|tr|回复|答复|转发|返信)"
    r"\s*(?:\[\d+\])?\s*[:：]\s*){0,5}"
)
_ASKED = re.compile(
    rf"^\s*{_REPLY}(?:please\s+)?un-?subscribe(?:\s+me)?\b\s*[:\-]?\s*(.{{0,600}})$",
    re.IGNORECASE | re.DOTALL,
)
# payload.timestamp.signature as itsdangerous writes them: 20 octets of HMAC make 27 characters.
# The length is given, because a mail program may put its own words right behind.
_TOKEN = re.compile(
    r"([A-Za-z0-9_-]{1,200}\.[A-Za-z0-9_-]{4,12}\.[A-Za-z0-9_-]{27})(?![A-Za-z0-9_-])"
)
_TOKEN_AT = re.compile(r"([A-Za-z0-9_-]{1,200}\.[A-Za-z0-9_-]{4,12}\.[A-Za-z0-9_-]{27})")
_BODY_MOST = 20_000
_BESIDE = re.compile(r"un-?subscribe[\s/:>]{1,8}", re.IGNORECASE)
_LINKED = re.compile(r"unsubscribe[/ %+][A-Za-z0-9._-]{30,300}", re.IGNORECASE)
_GAP = re.compile(r"[\s>]+|=\n")
_AUTO_SUBJECT = re.compile(
    rf"^\s*{_REPLY}(?:\[?auto(?:matic)?(?:ally)?[-_ ]?(?:reply|response|re|responder"
    rf"|generated)?\]?\s*:"
    r"|auto(?:matic|mated)?[-_ ]?(?:reply|response|answer)|out[- ]of[- ](?:the[- ])?office|vacation"
    r"|(?:i am |i'm )?(?:away|on (?:vacation|leave|holiday))|abwesen|automatische antwort"
    r"|réponse automatique|absence|respuesta autom|resposta autom|risposta autom|fuori sede"
    r"|fuera de la oficina|自動(?:返信|応答)|不在|автоответ|автоматическ"
    r"|自动(?:回复|答复)|자동 ?(?:회신|응답)"
    r"|automatisch antwoord|afwezig|autosvar|automaattinen|automatyczna odpowied|otomatik yanıt)",
    re.IGNORECASE,
)
_AUTO_FIELDS = (
    "x-autoreply",
    "x-autorespond",
    "x-autoresponder",
    "x-autoreply-from",
    "x-mail-autoreply",
    "x-vacation",
    "x-auto-reply",
)
_AUTO_PRECEDENCE = ("auto_reply", "auto-reply", "autoreply")


def asks_to_leave(fields: Fields, text: str) -> bool:
    """Whether the subject or the first line asks to be unsubscribed, and nothing else."""
    subject = fields.get("subject")[:1_000]
    first = next((line for line in text[:_BODY_MOST].split("\n") if line.strip()), "")
    return any(
        (asked := _ASKED.match(line)) and (len(asked[1].split()) <= 6 or _token_at(asked[1]))
        for line in (subject, first[:1_000])
    )


def leaves_for_its_reader(fields: Fields) -> bool:
    """Whether the subject is the very one of the opt-out link, as mail programs write it.

    An answering machine puts a word before the subject of what it answers, be that a digest whose
    first paper is on how people unsubscribe.
    """
    subject = fields.get("subject")[:1_000]
    asked = _ASKED.match(subject)
    return bool(asked and subject.lower().startswith("unsubscribe ") and _token_at(asked[1]))


def token_in(fields: Fields, text: str) -> str | None:
    """What stands in the token's place of such a request: subject first, then body.

    A mail program may break the token or quote the mail with its link: blanks within are dropped.
    """
    asked = _ASKED.match(fields.get("subject")[:1_000])
    if asked and (token := _token_at(asked[1])):
        return token
    body = text[:_BODY_MOST]
    for match in list(_BESIDE.finditer(body))[:50]:
        if token := _token_at(body[match.end() : match.end() + 400]):
            return token
    alone = _TOKEN.search(_GAP.sub("", body[:1_000])) or _TOKEN.search(body)
    return alone[1] if alone else None


def token_in_links(heads: Iterable[Fields]) -> str | None:
    """The token in a returned mail's own List-Unsubscribe field."""
    links = " ".join(value for head in heads for value in head.all("list-unsubscribe"))
    for match in list(_LINKED.finditer(links[:5_000]))[:20]:
        if token := _token_at(match.group()[len("unsubscribe") + 1 :].removeprefix("20")):
            return token
    return None


def is_automatic(fields: Fields) -> bool:
    """Whether the mail answers by itself: RFC 3834, older fields, and the usual subjects."""
    submitted = fields.get("auto-submitted").strip().lower()
    if submitted.startswith("auto-replied") or any(fields.all(*_AUTO_FIELDS)):
        return True
    if fields.get("precedence").strip().lower() in _AUTO_PRECEDENCE:
        return True
    return bool(_AUTO_SUBJECT.match(fields.get("subject")[:500]))


def _token_at(text: str) -> str | None:
    found = _TOKEN_AT.match(_GAP.sub("", text[:600]))
    return found[1] if found else None
