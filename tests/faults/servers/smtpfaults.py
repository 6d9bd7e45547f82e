"""The ways in which relays go wrong, and what is to become of the mail that meets each."""

from dataclasses import dataclass

from digest.domain.deliveries import State
from tests.faults.servers.smtp import Fault

MB = b"x" * 65_536
FOREIGN = b"550 5.1.1 gel\xf6scht \xff\xfe \x1b[31m\x07\x00 \xe2\x80\xae \r nobody\r\n"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A fault, and the state in which the victim's mail is once the relay is mended.

    `others` is whether the other mails go out while it lasts. `tls` is how the server does TLS.
    `is_large` asks to look at memory, `is_quick` is for the suite that is run all the time.
    """

    fault: Fault
    ends: State = State.SENT
    others: bool = True
    tls: str = ""
    username: str = ""
    is_large: bool = False
    is_quick: bool = False


def _dot(say: bytes = b"", **changes: object) -> Fault:
    return Fault(step=".", say=say, **changes)  # type: ignore[arg-type]


CASES: dict[str, Case] = {
    "drop before 250, not taken": Case(fault=_dot(then="cut", times=1)),
    "drop before 250, taken": Case(fault=_dot(then="cut", takes=True, times=1), is_quick=True),
    "drop before 250, taken, always": Case(
        fault=_dot(then="cut", takes=True), ends=State.HELD, is_quick=True
    ),
    "reset before 250, taken": Case(fault=_dot(then="reset", takes=True, times=1)),
    "drop within 250, taken": Case(fault=_dot(b"250 2.0", then="cut", takes=True, times=1)),
    "251 after the dot": Case(fault=_dot(b"251 forwards\r\n", takes=True, is_yes=True)),
    "252 after the dot": Case(fault=_dot(b"252 perhaps\r\n", takes=True, is_yes=True)),
    "354 after the dot, taken": Case(fault=_dot(b"354 go on\r\n", takes=True, times=1)),
    "999 after the dot, taken": Case(fault=_dot(b"999 what\r\n", takes=True, times=1)),
    "452 after the dot": Case(fault=_dot(b"452 4.2.2 full\r\n", times=1)),
    "554 after the dot": Case(fault=_dot(b"554 5.7.1 spam\r\n", times=1), ends=State.FAILED),
    "421 at MAIL": Case(
        fault=Fault(step="MAIL", say=b"421 bye\r\n", then="cut", at_all=True, times=2)
    ),
    "421 at RCPT": Case(fault=Fault(step="RCPT", say=b"421 bye\r\n", then="cut", times=2)),
    "421 at DATA": Case(fault=Fault(step="DATA", say=b"421 bye\r\n", then="cut", times=2)),
    "421 after the dot": Case(fault=_dot(b"421 4.3.2 bye\r\n", then="cut", times=2)),
    "421 in the body": Case(fault=Fault(step="body", say=b"421 bye\r\n", then="cut", times=2)),
    "reset in the body": Case(fault=Fault(step="body", then="reset", times=2)),
    "greylisting": Case(
        fault=Fault(step="RCPT", say=b"451 4.7.1 Greylisted, try again in 5 minutes\r\n", times=1)
    ),
    "tarpit at RCPT": Case(fault=Fault(step="RCPT", then="hang", times=1)),
    "tarpit after the dot, taken": Case(fault=_dot(then="hang", takes=True, times=1)),
    "tarpit after the dot, not taken": Case(fault=_dot(then="hang", times=1)),
    "tarpit at the greeting": Case(fault=Fault(step="hello", then="hang", at_all=True, times=1)),
    "one byte a second": Case(  # at a fiftieth of the time, as are the timeouts
        fault=_dot(b"250 2.0.0 taken\r\n", drip_s=0.02, takes=True, is_yes=True)
    ),
    "one byte a second, too slow": Case(
        fault=_dot(b"250 " + b"slow " * 20 + b"\r\n", drip_s=0.02, takes=True, times=1)
    ),
    "one byte a second in the greeting": Case(
        fault=Fault(step="hello", say=b"220 slow relay\r\n", drip_s=0.02, at_all=True)
    ),
    "nonsense in many lines": Case(
        fault=_dot(b"\r\n\r\n<html>\r\n250 ok\r\n?!\r\n", takes=True, times=1)
    ),
    "lines of different codes": Case(  # the last one counts, as for every other client
        fault=_dot(b"250-ok\r\n550 no\r\n", times=1), ends=State.FAILED
    ),
    "ten megabytes at RCPT": Case(
        fault=Fault(step="RCPT", say=b"250 " + MB * 160, times=1), is_large=True
    ),
    "ten megabytes after the dot, taken": Case(
        fault=_dot(b"250 " + MB * 160 + b"\r\n", takes=True, times=1),
        is_large=True,
    ),
    "a line without end": Case(fault=_dot(MB, then="flood", takes=True, times=1), is_large=True),
    "lines without end": Case(
        fault=_dot(b"250-on and on\r\n" * 500, then="flood", times=1), is_large=True
    ),
    "replies without end": Case(  # the first is the answer
        fault=_dot(b"250 ok\r\n" * 500, then="flood", takes=True, is_yes=True, times=1),
        is_large=True,
    ),
    "eight bits, controls and escapes": Case(
        fault=Fault(step="RCPT", say=FOREIGN), ends=State.FAILED, is_quick=True
    ),
    "two replies to one command": Case(
        fault=_dot(b"250 taken\r\n250 and more\r\n", takes=True, is_yes=True, times=1)
    ),
    "a thousand extensions": Case(
        fault=Fault(
            step="EHLO",
            say=b"250-X-EVIL \x1b[31m\r\n" * 1_000 + b"250 ok\r\n",
            at_all=True,
            times=3,
        )
    ),
    "ten megabytes of extensions": Case(
        fault=Fault(step="EHLO", say=b"250-X\r\n" * 1_500_000, at_all=True, times=3),
        others=False,
        is_large=True,
    ),
    "554 at the greeting": Case(
        fault=Fault(step="hello", say=b"554 go away\r\n", then="cut", at_all=True), others=False
    ),
    "speaks HTTP": Case(
        fault=Fault(step="hello", say=b"HTTP/1.1 400 Bad\r\n\r\n", then="cut", at_all=True),
        others=False,
    ),
    "hangs up at once": Case(fault=Fault(step="hello", then="cut", at_all=True), others=False),
    "wrong password": Case(
        fault=Fault(step="AUTH", say=b"535 5.7.8 wrong \x1b[31m\r\n", at_all=True),
        others=False,
        username="ada",
        is_quick=True,
    ),
    "login refused for now": Case(
        fault=Fault(step="AUTH", say=b"454 4.7.0 later\r\n", at_all=True),
        others=False,
        username="ada",
    ),
    "login cut": Case(
        fault=Fault(step="AUTH", then="cut", at_all=True), others=False, username="ada"
    ),
    "STARTTLS refused": Case(
        fault=Fault(step="STARTTLS", say=b"454 not now\r\n", then="cut", at_all=True),
        others=False,
        tls="starttls",
    ),
    "handshake cut": Case(
        fault=Fault(step="STARTTLS", say=b"220 go\r\n", then="cut", at_all=True),
        others=False,
        tls="starttls",
    ),
    "handshake is nonsense": Case(
        fault=Fault(
            step="STARTTLS", say=b"220 go\r\n" + b"\x16\x03\x01junk" * 9, at_all=True, then="cut"
        ),
        others=False,
        tls="starttls",
    ),
    "handshake hangs": Case(
        fault=Fault(step="STARTTLS", say=b"220 go\r\n", then="hang", at_all=True, times=2),
        others=False,
        tls="starttls",
    ),
    "words slipped in before TLS": Case(
        fault=Fault(
            step="STARTTLS", say=b"220 go\r\n250-evil\r\n250 AUTH PLAIN\r\n235 ok\r\n", at_all=True
        ),
        tls="starttls",
        username="ada",
        is_quick=True,
    ),
    "STARTTLS not offered": Case(
        fault=Fault(step="EHLO", say=b"250-relay\r\n250 AUTH PLAIN\r\n", at_all=True),
        others=False,
        tls="starttls",
        username="ada",
    ),
    "a stranger's certificate": Case(
        fault=Fault(step="hello", say=b"220 ready\r\n", at_all=True),
        others=False,
        tls="stranger",
        username="ada",
    ),
    "a stranger's certificate from the first byte": Case(
        fault=Fault(step="hello", say=b"220 ready\r\n", at_all=True),
        others=False,
        tls="stranger, implicit",
        username="ada",
    ),
}
