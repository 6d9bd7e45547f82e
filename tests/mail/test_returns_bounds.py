"""No bytes make the reader raise, or take its time."""

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest.mail.returns import read

HEAD = b"From: MAILER-DAEMON@x.example\nTo: a@b.example\nSubject: failure notice\n"
REPORT = (
    b'Content-Type: multipart/report; boundary="b"\n\n'
    b"--b\nContent-Type: message/delivery-status\n\n"
)
SEEDS = [
    HEAD + b"\n<a@b.example>:\n550 5.1.1 user unknown\n",
    HEAD + REPORT + b"Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.1.1\n--b--\n",
    b"Subject: unsubscribe abc.def.ghi\n\n",
    b"Subject: =?utf-8?q?out_of_office?=\nAuto-Submitted: auto-replied\n\nbye\n",
    b"Content-Type: text/html; charset=utf-7\nContent-Transfer-Encoding: base64\n\nPGh0bWw+\n",
]
PIECES = [
    b"Content-Type: multipart/mixed; boundary=b\n", b"Content-Type: message/rfc822\n\n", b"--b\n",
    b"Content-Transfer-Encoding: base64\n", b"Content-Transfer-Encoding: quoted-printable\n",
    b"Content-Type: text/plain; charset=punycode\n", b"\xff\xfe\0", b"=?x?b?=?=", b"From ", b"\r",
    b"Final-Recipient: ;;@\n", b"Content-Type: text/plain; charset=hex\n", b"550 5.1.1 ", b"<@>",
    b"Original-Recipient: rfc822;+2B\n", b"Message-ID: <", b'{"notificationType":"Bounce"}',
]  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data)))
        cut = draw(st.integers(0, 60))
        piece = draw(st.one_of(st.sampled_from(PIECES), st.binary(max_size=12)))
        data = data[:at] + piece + data[at + cut :]
    return data


@given(st.one_of(st.binary(max_size=400), mutated(SEEDS)))
@settings(max_examples=300, deadline=2_000)
def test_no_bytes_make_it_raise(raw: bytes) -> None:
    returned = read(raw)

    assert len(returned.key) == 64
    assert len(returned.failures) <= 100


def test_no_mutation_of_a_real_bounce_makes_it_raise(shared: Path) -> None:
    folder = shared / "mail" / "sisimai" / "bounces"
    seeds = [path.read_bytes()[:20_000] for path in sorted(folder.iterdir())[::7]]

    @given(mutated(seeds))
    @settings(max_examples=200, deadline=2_000, suppress_health_check=list(HealthCheck))
    def check(raw: bytes) -> None:
        read(raw)

    check()


def _nested(levels: int) -> bytes:
    pieces = (
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(levels)
    )
    return b"".join(pieces)


def _status(group: bytes, said: bytes) -> bytes:
    """A report with 200 such groups, each with its number where the group has a place for one."""
    groups = (group % i if b"%d" in group else group for i in range(200))
    return REPORT.replace(b"--b\n", b"--b\n\n" + said + b"\n--b\n", 1) + b"".join(groups)


@pytest.mark.parametrize(
    "raw",
    [
        HEAD + b"\n" + b"550 user unknown <x@y.example>\n" * 300_000,
        HEAD + b"\n" + b"a" * 10_000_000,
        HEAD + b"\n" + b"a@" * 5_000_000,
        HEAD + b"\n" + b"".join(b"a%d@b.example\n" % i for i in range(200_000)),
        HEAD + b"\n" + b"\n" * 5_000_000,
        HEAD + b"\n" + b"> " * 2_000_000,
        HEAD + b"\n<x@y.example>: 550 " + b"user account mailbox " * 100_000,
        HEAD + b"Content-Type: text/html\n\n" + b"<style><br " * 500_000,
        HEAD + b"Content-Transfer-Encoding: base64\n\n" + b"QUFB\n" * 2_000_000,
        HEAD + _nested(3_000),
        HEAD + b"Content-Type: message/rfc822\n\n" * 100_000,
        HEAD + b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx@y.example\n" * 200_000,
        HEAD + REPORT + b"Final-Recipient: rfc822; a@b.example\nAction: failed\n" * 100_000,
        HEAD + b"\n" + b"deliver" * 300_000,
        HEAD + _status(b"Final-Recipient: nobody\nAction: failed\n\n", b"deliver" * 9_000),
        HEAD
        + _status(
            b"Final-Recipient: rfc822; a%d@b.example\nStatus: 5.0.0\n"
            b"Diagnostic-Code: smtp; " + b"konto" * 700 + b"\n\n",
            b"hello",
        ),
        b"X: y\n" + b" z\n" * 2_000_000,
        b"Subject: unsubscribe\n\n" + b"unsubscribe aaaa.aaaa." * 100_000,
        b"From: " + b"a@b.example," * 500_000 + b"\n\n",
    ],
    ids=lambda raw: repr(raw[-24:]),
)
def test_a_mail_of_megabytes_is_read_in_bounded_time(raw: bytes) -> None:
    started = time.process_time()
    read(raw)

    assert time.process_time() - started < 5  # a rule of quadratic time takes minutes
