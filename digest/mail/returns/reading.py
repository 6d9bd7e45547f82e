"""Read one mail that came back: which of the rules apply, and in which order."""

import hashlib
import logging
import re
from email.message import Message
from functools import cached_property

from digest.domain.bounces import BounceKind
from digest.mail.returns import notices, reports, requests
from digest.mail.returns.addresses import addresses_in, of_field, unique
from digest.mail.returns.model import Failure, Returned, ReturnKind
from digest.mail.returns.notices import Notice
from digest.mail.returns.parts import READ_MOST, Fields, Part, take_apart
from digest.mail.returns.reasons import reason_in, reason_of
from digest.mail.returns.relayed import notification_in

# it writes a trace of each fault of its own, which costs nothing but that one guess
logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)

_FLUFL_MOST = 10_000
_FLUFL_LINES = 200
_FAILURES_MOST = 100
_ARRIVED_AT = (
    "delivered-to",
    "x-original-to",
    "envelope-to",
    "x-envelope-to",
    "x-delivered-to",
    "to",
    "cc",
    "apparently-to",
    "resent-to",
    "x-forwarded-to",
)
_FOR = re.compile(r"\bfor\s+<([^<>\s]{3,320})>")
_ID_LINE = re.compile(r"(?im)^[ \t>]*message-id[ \t]*:[ \t]*(<[^<>\s]{1,250}>)")


def read(raw: bytes) -> Returned:
    """Read any bytes as a mail that came back. Never raises; time and memory are bounded."""
    fields, parts = take_apart(raw)
    mail = _Mail(raw, fields, parts)
    return (
        _complaint(mail)
        or _status_report(mail)
        or _ses_notification(mail)
        or _opt_out(mail)
        or _notice(mail)
        or _other(mail)
    )


class _Mail:
    """A mail taken apart, and what every answer tells of it."""

    def __init__(self, raw: bytes, fields: Fields, parts: list[Part]) -> None:
        self.raw, self.fields, self.parts = raw, fields, parts
        self.notice: Notice = notices.notice_of(parts)
        self.sender = next(iter(of_field(fields.all("from"))), "")

    @property
    def ours(self) -> list[str]:
        """Addresses that the mail came to or from."""
        return [self.sender, *of_field(self.fields.all(*_ARRIVED_AT))]

    @cached_property
    def named(self) -> list[str]:
        """Recipients that the words name, or else the original."""
        return (
            notices.named_in_fields(self.fields)
            or notices.named_in_text(self.notice, self.ours)
            or _by_flufl(self)
            or self.notice.recipients[:1]
        )

    def answer(
        self,
        kind: ReturnKind,
        failures: tuple[Failure, ...] = (),
        recipients: tuple[str, ...] = (),
        unsubscribe_token: str | None = None,
    ) -> Returned:
        return Returned(
            kind=kind,
            failures=failures,
            recipients=recipients or tuple(failure.address for failure in failures),
            addressed_to=tuple(self._addressed_to()),
            message_ids=tuple(self._message_ids()),
            unsubscribe_token=unsubscribe_token,
            sender=self.sender,
            key=_key(self.fields, self.raw),
        )

    def _addressed_to(self) -> list[str]:
        passed = [
            found for value in self.fields.all("received")[:30] for found in _FOR.findall(value)
        ]
        said = [
            value
            for part in self.parts
            if part.kind.startswith("message/")
            for line in part.text[:20_000].split("\n")
            if line.lower().startswith(("original-mail-from:", "x-postfix-sender:"))
            for value in addresses_in(line)
        ]
        heads = reports.senders(list(self.notice.originals))
        return unique([*of_field(self.fields.all(*_ARRIVED_AT)), *passed, *said, *heads])[:60]

    def _message_ids(self) -> list[str]:
        own = self.fields.get("message-id").strip()
        found = reports.message_ids(list(self.notice.originals))
        found += _ID_LINE.findall(self.notice.text)
        found += re.findall(
            r"<[^<>\s]{1,250}>", " ".join(self.fields.all("in-reply-to", "references"))
        )
        return [name for name in unique(found) if name != own][:30]


def _complaint(mail: _Mail) -> Returned | None:
    complaint = reports.complaint_in(mail.fields, mail.parts, mail.notice.recipients)
    if complaint is None:
        return None
    if not complaint.genuine:
        return mail.answer(ReturnKind.OTHER, recipients=complaint.recipients)
    detail = f"complaint: {complaint.type or 'unnamed'}"
    failures = tuple(
        Failure(address=address, status="", detail=detail, kind=BounceKind.POLICY)
        for address in complaint.recipients
    )
    token = requests.token_in_links(mail.notice.originals)  # addresses may be blacked out
    return mail.answer(ReturnKind.COMPLAINT, failures, unsubscribe_token=token)


def _status_report(mail: _Mail) -> Returned | None:
    """A DSN; one that is attached to a mail system's own notice counts as the notice's."""
    level = 0
    groups = reports.status_groups(mail.parts, 0)
    if not groups and notices.is_returned(mail.fields, mail.notice, report=False):
        level, groups = 1, reports.status_groups(mail.parts, 1)
    if not groups or reports.is_receipt(mail.fields, mail.parts):
        return None
    named = [group.address for group in groups]
    if reports.has_status(mail.parts, level + 1) and set(named) & set(mail.ours):
        return mail.answer(ReturnKind.OTHER)  # a loop: a bounce of a bounce, and we are its target
    failures = []
    for group in groups:
        if group.failed and (address := group.address or next(iter(mail.named), "")):
            piece = notices.piece_about(mail.notice, address, named)
            reason = reason_of(group.status, group.diagnostic, piece)
            failures.append(
                Failure(
                    address=address, status=reason.status, detail=reason.detail, kind=reason.kind
                )
            )
    if failures:
        return mail.answer(ReturnKind.BOUNCE, _each_once(failures))
    return mail.answer(ReturnKind.OTHER, recipients=tuple(unique(named)))


def _ses_notification(mail: _Mail) -> Returned | None:
    found = notification_in(mail.notice.text)
    if found is None or not found.recipients:
        return None
    failures = []
    for address, status, diagnostic in found.recipients:
        reason = reason_of(status, diagnostic, "")
        kind = BounceKind.POLICY if found.complaint else reason.kind
        failures.append(
            Failure(address=address, status=reason.status, detail=reason.detail, kind=kind)
        )
    kind_of_mail = ReturnKind.COMPLAINT if found.complaint else ReturnKind.BOUNCE
    return mail.answer(kind_of_mail, _each_once(failures))


def _opt_out(mail: _Mail) -> Returned | None:
    text = next(
        (part.text for part in mail.parts if part.kind == "text/plain" and not part.level), ""
    )
    if not text.strip():
        text = mail.notice.text
    if not requests.asks_to_leave(mail.fields, text):
        return None
    if requests.is_automatic(mail.fields) and not requests.leaves_for_its_reader(mail.fields):
        return None
    token = requests.token_in(mail.fields, text)
    return mail.answer(ReturnKind.UNSUBSCRIBE, unsubscribe_token=token)


def _notice(mail: _Mail) -> Returned | None:
    fields, notice = mail.fields, mail.notice
    receipt = reports.is_receipt(fields, mail.parts)
    if receipt and "reject" not in notice.text.lower():
        return None
    report = "report" in fields.get("content-type")[:200].lower()
    if not receipt and not notices.is_returned(fields, notice, report=report):
        return None
    named = mail.named
    if notices.is_delay(fields, notice):
        return mail.answer(ReturnKind.OTHER, recipients=tuple(named))
    failures = [_failure(notice, address, named, alive=receipt) for address in named]
    if not failures:
        return None
    return mail.answer(ReturnKind.BOUNCE, _each_once(failures))


def _failure(notice: Notice, address: str, named: list[str], *, alive: bool) -> Failure:
    piece = notices.piece_about(notice, address, named)
    reason = reason_in(piece)
    kind = BounceKind.SOFT if alive and reason.kind is BounceKind.HARD else reason.kind
    return Failure(
        address=notices.earlier_address(piece, address),
        status=reason.status,
        detail=reason.detail,
        kind=kind,
    )


def _by_flufl(mail: _Mail) -> list[str]:
    """Recipients that Mailman's own detectors find in the words.

    They walk a whole mail dozens of times, so they get its head and a page of text only.
    """
    from flufl.bounce import all_failures  # noqa: PLC0415  # a start need not wait for all of them

    flat = Message()
    for name in ("from", "subject", "return-path"):
        flat[name] = " ".join(mail.fields.get(name)[:300].split())
    flat.set_payload("\n".join(mail.notice.text[:_FLUFL_MOST].split("\n")[:_FLUFL_LINES]))
    try:
        temporary, permanent = all_failures(flat)
    except (AssertionError, LookupError, TypeError, ValueError):  # not made for any text at all
        return []
    found = sorted(address.decode("utf-8", "replace") for address in temporary | permanent)
    return [address for address in found if "@" in address and address.isprintable()]


def _other(mail: _Mail) -> Returned:
    automatic = requests.is_automatic(mail.fields) or reports.is_receipt(mail.fields, mail.parts)
    if automatic:
        return mail.answer(ReturnKind.AUTO_REPLY, recipients=(mail.sender,) if mail.sender else ())
    return mail.answer(ReturnKind.OTHER)


def _each_once(failures: list[Failure]) -> tuple[Failure, ...]:
    found: dict[str, Failure] = {}
    for failure in failures:
        found.setdefault(failure.address.casefold(), failure)
    return tuple(found.values())[:_FAILURES_MOST]


def _key(fields: Fields, raw: bytes) -> str:
    """One name for one mail, by whichever way it was fetched.

    Servers add fields and mbox files change lines, so only what the author wrote counts.
    """
    head = [fields.get(name).strip() for name in ("message-id", "date", "from", "to", "subject")]
    body = raw[:READ_MOST].replace(b"\r\n", b"\n").lstrip(b"\n").partition(b"\n\n")[2]
    plain = re.sub(rb"(?m)^>+From ", b"From ", body).strip()
    return hashlib.sha256("\n".join(head).encode("utf-8", "replace") + b"\n" + plain).hexdigest()
