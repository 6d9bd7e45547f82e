"""Returned mail in files, mbox files, Maildir folders and streams."""

import io
import mailbox
import os
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest

from digest.errors import MailError
from digest.mail.mailboxes import (
    MAIL_MOST,
    Found,
    Unread,
    in_files,
    in_stream,
    watched_maildir,
    watched_mbox,
    written_at,
)

TEN = datetime(2026, 3, 12, 10, tzinfo=UTC)
ONE = b"Subject: one\n\nfirst\n"
TWO = b"Subject: two\n\nFrom here on:\n\nFrom the start, once more\n>From 2026\n"


def raws(mails):
    return [mail.raw for mail in mails]


def a_maildir(path, *mails):
    made = mailbox.Maildir(path)
    keys = [made.add(raw) for raw in mails]
    return made, keys


def an_mbox(path, *mails):
    made = mailbox.mbox(path)
    for raw in mails:
        made.add(mailbox.mboxMessage(raw.replace(b">From", b"From")))
    made.close()
    return path


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_files_folders_mbox_and_maildir_are_told_apart_and_left_as_they_are(tmp_path):
    (tmp_path / "one.eml").write_bytes(ONE)
    an_mbox(tmp_path / "many.mbox", ONE, TWO, ONE)
    a_maildir(tmp_path / "maildir", TWO)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a").write_bytes(TWO)
    (tmp_path / "folder" / "b").write_bytes(ONE)
    before = contents(tmp_path)
    paths = [tmp_path / name for name in ("one.eml", "many.mbox", "maildir", "folder", "gone")]
    found = list(in_files(paths))
    assert raws(found[:1]) == [ONE]
    assert [b"two" in mail.raw for mail in found[:-1]] == [
        *(False, False, True, False, True, True, False)
    ]
    assert found[-1] == Unread(name=str(tmp_path / "gone"), why="there is no such file")
    for mail in found[:-1]:
        mail.done()
    assert contents(tmp_path) == before


def test_one_bad_file_never_stops_the_rest(tmp_path):
    (tmp_path / "good").write_bytes(ONE)
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "garbage").write_bytes(bytes(range(256)) * 50)
    os.mkfifo(tmp_path / "pipe")
    found = list(in_files([tmp_path / name for name in ("empty", "pipe", "garbage", "good")]))
    assert [type(mail) for mail in found] == [Unread, Unread, Found, Found]
    assert [mail.why for mail in found[:2]] == ["it is empty", "it is no file"]


def test_a_letter_may_begin_its_lines_with_from(tmp_path):
    first, second = raws(in_files([an_mbox(tmp_path / "mbox", TWO, ONE)]))
    assert first.startswith(b"Subject: two")
    assert b"From the start, once more" in first
    assert second.rstrip() == ONE.rstrip()


def test_a_long_line_that_begins_like_a_separator_is_read_at_once():
    text = b"From a@b Thu Mar 12 10:00:00 2026\nA: 1\n\n"
    long = io.BytesIO(text + b"From " + b"1:11 " * 40_000 + b"\n")
    started = time.process_time()
    (mail,) = in_stream(long, "stdin")
    assert len(mail.raw) > 200_000
    assert time.process_time() - started < 1  # a match in quadratic time takes a minute


def test_an_mbox_with_other_line_ends_or_none_at_its_end():
    text = b"From a@b Thu Mar 12 10:00:00 2026\r\nA: 1\r\n\r\nx\r\n\r\n"
    text += b"From MAILER-DAEMON Thu Mar 12 10:00:01 2026\r\nA: 2\r\n\r\ny"
    first, second = in_stream(io.BytesIO(text), "stdin")
    assert (first.name, second.name) == ("stdin:1", "stdin:2")
    assert second.raw == b"A: 2\r\n\r\ny"


@pytest.mark.slow
def test_of_a_huge_mail_the_head_is_enough(tmp_path):
    (tmp_path / "big").write_bytes(b"Subject: big\n\n" + b"x" * (10 << 20))
    (mail,) = in_files([tmp_path / "big"])
    assert len(mail.raw) == MAIL_MOST
    big = b"From a@b Thu Mar 12 10:00:00 2026\n" + b"y\n" * (3 << 20)
    both = raws(in_stream(io.BytesIO(big + b"\nFrom a@b Thu Mar 12 10:00:00 2026\nz"), "x"))
    assert len(both[0]) <= MAIL_MOST + (1 << 16)
    assert both[1] == b"z"


def test_a_watched_maildir_gives_what_was_not_seen_and_marks_it(tmp_path):
    made, keys = a_maildir(tmp_path / "box", ONE, TWO, b"Subject: three\n\n", b"Subject: four\n\n")
    for key, flags in ((keys[2], "S"), (keys[3], "F")):
        message = mailbox.MaildirMessage(made.get_bytes(key))
        message.set_subdir("cur")
        message.set_flags(flags)
        made[key] = message
    found = list(watched_maildir(tmp_path / "box"))
    assert sorted(raws(found)) == sorted([ONE, TWO, b"Subject: four\n\n"])
    assert len(list(watched_maildir(tmp_path / "box"))) == 3  # none was done with
    for mail in found:
        mail.done()
        mail.done()  # another reader may have been quicker
    assert list(watched_maildir(tmp_path / "box")) == []
    again = mailbox.Maildir(tmp_path / "box")
    assert sorted("".join(again[key].get_flags()) for key in keys) == ["FS", "S", "S", "S"]
    assert {again[key].get_subdir() for key in keys} == {"cur"}


def test_a_pipe_in_a_watched_maildir_holds_nobody_up(tmp_path):
    a_maildir(tmp_path / "Maildir", ONE)
    os.mkfifo(tmp_path / "Maildir" / "new" / "0.pipe")
    pipe, mail = watched_maildir(tmp_path / "Maildir")
    assert (pipe, mail.raw) == (Unread(name="new/0.pipe", why="it is no file"), ONE)


def test_a_folder_that_is_no_maildir_is_named(tmp_path):
    with pytest.raises(MailError, match=r"bounces\.maildir: .* is no Maildir"):
        list(watched_maildir(tmp_path))


def test_a_watched_mbox_is_read_whole_and_may_not_exist_yet(tmp_path):
    assert list(watched_mbox(tmp_path / "mbox")) == []
    (tmp_path / "mbox").touch()
    assert list(watched_mbox(tmp_path / "mbox")) == []
    (tmp_path / "mbox").unlink()
    an_mbox(tmp_path / "mbox", ONE, TWO)
    before = contents(tmp_path)
    assert len(list(watched_mbox(tmp_path / "mbox"))) == 2
    assert len(list(watched_mbox(tmp_path / "mbox"))) == 2
    assert contents(tmp_path) == before
    with pytest.raises(MailError, match=r"bounces\.mbox: .* cannot be read"):
        list(watched_mbox(tmp_path))


WRITER = """
import fcntl, sys
with open(sys.argv[1], "r+b") as held:
    fcntl.lockf(held, fcntl.LOCK_EX)
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_a_watched_mbox_that_is_being_written_is_left_for_later(tmp_path):
    path = an_mbox(tmp_path / "mbox", ONE)
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout and writer.stdout.readline() == b"locked\n"
        with pytest.raises(MailError, match="is being written"):
            list(watched_mbox(path))
        writer.communicate()
    assert len(list(watched_mbox(path))) == 1


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("Date: Thu, 12 Mar 2026 10:00:00 +0900", datetime(2026, 3, 12, 1, tzinfo=UTC)),
        ("A: 1\r\ndate:\r\n Thu, 12 Mar 2026\r\n 10:00:00 -0000", TEN),
        ("Date: 12 Mar 2026 10:00 GMT", TEN),
        ("Date: soon", None),
        ("Date: Thu, 99 Foo 20266 99:00:00 +9999", None),
        ("Date: Fri, 31 Dec 9999 23:59:59 -2300", None),
        ("Date: " + "1" * 100_000, None),
        ("Subject: none\r\n\r\nDate: Thu, 12 Mar 2026 10:00:00 +0000", None),
        ("", None),
    ],
    ids=range(9),
)
def test_the_date_of_a_mail_is_that_of_its_head(head, expected):
    assert written_at(head.encode() + b"\r\n\r\nbody") == expected
