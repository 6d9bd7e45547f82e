"""Machine-readable reports: delivery status (RFC 3464) and complaints (RFC 5965)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from digest.mail.returns.addresses import of_field, recipient_of, unique
from digest.mail.returns.parts import Fields, Part, header_block

_BLOCKS_MOST = 200
_STATUS_KINDS = frozenset({"message/delivery-status", "message/global-delivery-status"})
_INLINE = re.compile(r"(?im)^[ \t>]*(?:final|original)-recipient[ \t]*:")
_FINAL = re.compile(r"(?im)^[ \t>]*final-recipient[ \t]*:")
_NO_FAILURE = ("delayed", "delivered", "relayed", "expanded")
_NO_COMPLAINT = frozenset({"not-spam", "auth-failure", "dmarc"})
_HIDDEN = re.compile(r"redacted|undisclosed|suppressed", re.IGNORECASE)
_MICROSOFT = re.compile(r"\s*complaint about message from\b", re.IGNORECASE)  # its own form


@dataclass(frozen=True, kw_only=True, slots=True)
class StatusGroup:
    """What a delivery status says of one recipient."""

    address: str
    failed: bool
    status: str
    diagnostic: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Complaint:
    """Who complains about which mail; `genuine` is False for a report that is no complaint."""

    genuine: bool
    type: str
    recipients: tuple[str, ...]


def status_groups(parts: list[Part], level: int) -> list[StatusGroup]:
    """The groups of a delivery status at this level, from its part or from plain text."""
    here = [part for part in parts if part.level == level]
    texts = [part.text for part in here if part.kind in _STATUS_KINDS]
    groups = [_group(block) for text in texts for block in _blocks(text)]
    if not groups:
        plain = [part.text for part in here if _INLINE.search(part.text)]
        groups = [_group(block) for text in plain for block in _blocks(text)]
    return groups[:_BLOCKS_MOST]


def has_status(parts: list[Part], level: int) -> bool:
    """Whether there is a delivery status, read or not."""
    return any(part.level == level and part.kind in _STATUS_KINDS for part in parts)


def complaint_in(fields: Fields, parts: list[Part], recipients: list[str]) -> Complaint | None:
    """The complaint of a mail, None where it is none; `recipients` are those of the original."""
    report = next(
        (part.text for part in parts if part.kind == "message/feedback-report" and not part.level),
        None,
    )
    if report is None:
        if not _MICROSOFT.match(fields.get("subject")) or not any(part.level for part in parts):
            return None
        report = ""
    said = header_block(report.lstrip("\n"))[0]
    type_ = said.get("feedback-type").strip().lower()
    named = said.all("original-rcpt-to", "removal-recipient")
    named += [value for part in parts for value in part.fields.all("x-hmxmroriginalrecipient")]
    found = unique(recipient_of(value) for value in named) or recipients
    return Complaint(
        genuine=type_ not in _NO_COMPLAINT,
        type=type_,
        recipients=tuple(address for address in found if not _HIDDEN.search(address)),
    )


def is_receipt(fields: Fields, parts: list[Part]) -> bool:
    """Whether the mail tells what became of a mail that did arrive (RFC 8098)."""
    declared = fields.get("content-type").lower()
    return "disposition-notification" in declared or any(
        part.kind.endswith("disposition-notification") and not part.level for part in parts
    )


def _blocks(text: str) -> Iterator[Fields]:
    """Blocks of fields that name a recipient; two recipients without a line between are parted."""
    found = 0
    for block in re.split(r"\n[ \t]*\n", text[:200_000]):
        match = _INLINE.search(block)
        if not match or found >= _BLOCKS_MOST:
            continue
        starts = [found.start() for found in _FINAL.finditer(block)][1:_BLOCKS_MOST]
        for start, end in pairwise([0, *starts, len(block)]):
            head = _unquoted(block[start:end])
            if head.all("final-recipient", "original-recipient"):
                found += 1
                yield head


def _unquoted(block: str) -> Fields:
    lines = block.strip("\n").split("\n")
    margin = re.match(r"[ \t>]*", lines[0])
    cut = margin[0] if margin else ""
    return header_block("\n".join(line.removeprefix(cut) for line in lines))[0]


def _group(fields: Fields) -> StatusGroup:
    named = fields.all("original-recipient", "final-recipient", "x-actual-recipient")
    action = fields.get("action").strip().lower()
    status = fields.get("status").strip()
    return StatusGroup(
        address=next((address for value in named if (address := recipient_of(value))), ""),
        failed=not action.startswith(_NO_FAILURE) and not status.startswith("2"),
        status=status,
        diagnostic=" ".join(fields.all("diagnostic-code"))[:1_500],
    )


def message_ids(heads: list[Fields]) -> list[str]:
    """Message-IDs in these heads, in angle brackets, each once."""
    values = [value for head in heads for value in head.all("message-id", "x-original-message-id")]
    return unique(found for value in values for found in re.findall(r"<[^<>\s]{1,250}>", value))


def senders(heads: list[Fields]) -> list[str]:
    """Envelope senders of returned mails, as far as their heads tell."""
    names = ("return-path", "x-envelope-from", "errors-to", "sender", "x-postfix-sender")
    return of_field(value for head in heads for value in head.all(*names))
