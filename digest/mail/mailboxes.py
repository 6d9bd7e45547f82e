"""Where returned mail lies: files, mbox files, Maildir folders and standard input.

Nothing that was named on the command line is changed. In a watched Maildir a mail is marked as seen
once it is done with, and so is not read again. Of each mail the head is read, never more than
`MAIL_MOST` bytes: what matters of a bounce stands there.
"""

import fcntl
import re
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO

from digest.errors import MailError

MAIL_MOST = 4 << 20
_LINE_MOST = 1 << 16
_HEAD_MOST = 1 << 16
# RFC 4155: sender and date; a line of a letter that begins with "From" bears no such date
_MBOX_LINE = re.compile(rb"From \S*\s.*\d:\d\d.*\d{4}")
_MBOX_LINE_MOST = 400
_DATE = re.compile(rb"^date:((?:[^\r\n]|\r?\n[ \t]){1,200})", re.IGNORECASE | re.MULTILINE)
_HEAD_END = re.compile(rb"\r?\n\r?\n")


def _nothing() -> None:
    """Nothing is to be done about a mail that was read from a file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """One mail where it lies; `done` is to be called once what follows from it is committed."""

    name: str
    raw: bytes = field(repr=False)
    done: Callable[[], None] = _nothing


@dataclass(frozen=True, kw_only=True, slots=True)
class Unread:
    """Something that could not be read, and why."""

    name: str
    why: str


Mails = Generator[Found | Unread, None, None]


def in_files(paths: Iterable[Path]) -> Mails:
    """The mails in these files and folders, in their order: a file is one mail or an mbox; a folder
    is a Maildir, or holds such files.
    """
    for path in paths:
        if path.is_dir():
            yield from _in_folder(path)
        else:
            yield from _in_file(path)


def in_stream(stream: BinaryIO, name: str) -> Mails:
    """The mails in a stream: one, or those of an mbox."""
    first = stream.readline(_LINE_MOST)
    if not first.startswith(b"From "):
        raw = first + stream.read(MAIL_MOST - len(first))
        if raw.strip():
            yield Found(name=name, raw=raw)
        else:
            yield Unread(name=name, why="it is empty")
        return
    for number, raw in enumerate(_split(stream), start=1):
        yield Found(name=f"{name}:{number}", raw=raw)


def watched_maildir(folder: Path) -> Mails:
    """The mails of a Maildir that were not seen yet, oldest first; done with, they are marked seen.

    Raises MailError for a folder that is no Maildir.
    """
    if not _is_maildir(folder):
        raise MailError(
            f"bounces.maildir: {folder} is no Maildir (it has no folders cur and new): "
            "name the one that the mail server writes"
        )
    for found in _in_maildir(folder, seen=False):
        if isinstance(found, Found):
            yield replace(found, done=partial(_mark_seen, folder / found.name))
        else:
            yield found


def watched_mbox(path: Path) -> Mails:
    """The mails of an mbox file, all of them each time; those known are recognised by their keys.

    A file that does not exist is empty: mail servers make it with the first mail. Raises MailError
    for one that cannot be read or is being written now.
    """
    try:
        with path.open("rb") as stream:
            try:
                fcntl.lockf(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError as exc:
                raise MailError(f"bounces.mbox: {path} is being written: read it later") from exc
            if path.stat().st_size:
                yield from in_stream(stream, path.name)
    except FileNotFoundError:
        return
    except OSError as exc:
        raise MailError(f"bounces.mbox: {path} cannot be read: {exc.strerror}") from exc


def written_at(raw: bytes) -> datetime | None:
    """The date in a mail's head, None where there is none that makes sense."""
    end = _HEAD_END.search(raw, 1, _HEAD_MOST)
    found = _DATE.search(raw, 0, end.start() if end else _HEAD_MOST)
    if found is None:
        return None
    try:
        at = parsedate_to_datetime(" ".join(found[1].decode("ascii", "replace").split()))
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _in_folder(folder: Path) -> Mails:
    if _is_maildir(folder):
        yield from _in_maildir(folder, seen=True)
        return
    try:
        inside = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as exc:
        yield Unread(name=str(folder), why=exc.strerror or str(exc))
        return
    for path in inside:
        yield from _in_file(path)


def _in_file(path: Path) -> Mails:
    if not path.is_file():
        why = "it is no file" if path.exists() else "there is no such file"
        yield Unread(name=str(path), why=why)
        return
    try:
        with path.open("rb") as stream:
            yield from in_stream(stream, str(path))
    except OSError as exc:
        yield Unread(name=str(path), why=exc.strerror or str(exc))


def _is_maildir(folder: Path) -> bool:
    return (folder / "cur").is_dir() and (folder / "new").is_dir()


def _in_maildir(folder: Path, *, seen: bool) -> Mails:
    """The mails of a Maildir, those already seen too where `seen`."""
    for place in ("new", "cur"):
        for path in sorted((folder / place).iterdir()):
            if path.name.startswith(".") or not (seen or "S" not in _flags(path)):
                continue
            name = f"{place}/{path.name}"
            if not path.is_file() and path.exists():  # a pipe would hold up all others
                yield Unread(name=name, why="it is no file")
                continue
            try:
                with path.open("rb") as stream:
                    raw = stream.read(MAIL_MOST)
            except FileNotFoundError:
                continue  # another reader was quicker
            except OSError as exc:
                yield Unread(name=name, why=exc.strerror or str(exc))
            else:
                yield Found(name=name, raw=raw)


def _flags(path: Path) -> str:
    return path.name.partition(":2,")[2]


def _mark_seen(path: Path) -> None:
    """Move a mail to cur with the flag S, as a mail program does (the Maildir specification)."""
    base, flags = path.name.partition(":2,")[0], set(_flags(path))
    target = path.parent.parent / "cur" / f"{base}:2,{''.join(sorted(flags | {'S'}))}"
    try:
        path.rename(target)
    except FileNotFoundError:
        return  # another reader was quicker
    except OSError as exc:
        raise MailError(f"bounces.maildir: {path} cannot be marked as seen: {exc}") from exc


def _split(stream: BinaryIO) -> Iterator[bytes]:
    """The mails of an mbox whose first line was read, each cut off after MAIL_MOST bytes."""
    mail = bytearray()
    blank, whole = False, True  # whether the line before was empty, and had an end
    while line := stream.readline(_LINE_MOST):
        if blank and whole and _MBOX_LINE.match(line[:_MBOX_LINE_MOST]):
            yield bytes(mail)
            mail.clear()
            blank = False
            continue
        blank = whole and line in (b"\n", b"\r\n")
        whole = line.endswith(b"\n")
        if len(mail) < MAIL_MOST:
            mail += line
    yield bytes(mail)
