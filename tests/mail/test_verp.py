"""Envelope senders that say which delivery came back, and nobody can forge."""

import string

import pytest

from digest.domain.subscribers import address as checked
from digest.errors import ConfigError
from digest.mail.tokens import Purpose, Tokens
from digest.mail.verp import Verp
from tests.builders import NOON

OLD, NEW = "o" * 32, "n" * 32
ADDRESS = "bounces@papers.example"


def test_a_sender_bears_its_delivery_and_is_read_back():
    verp = Verp(ADDRESS, [NEW])
    for number in (1, 17, 2**31 - 1):
        sender = verp.sender(number)
        assert sender.startswith(f"bounces+b{number}-")
        assert sender.endswith("@papers.example")
        assert checked(sender) == sender
        assert verp.read(sender) == number
        assert verp.read(f" <{sender.upper()}> ") == number
    assert verp.sender(17) == Verp(ADDRESS, [NEW]).sender(17)


def test_the_token_holds_lower_case_letters_and_digits_and_80_bits():
    _, _, token = Verp(ADDRESS, [NEW]).sender(17).partition("@")[0].partition("+")
    assert set(token) <= set(string.ascii_lowercase + string.digits + "-")
    assert len(token.partition("-")[2]) * 5 == 80


def test_a_token_with_any_byte_changed_names_nothing():
    verp = Verp(ADDRESS, [NEW])
    sender = verp.sender(1234)
    start, end = sender.index("+"), sender.index("@")
    others = string.ascii_lowercase + string.digits + "-+\u212a\u0661"
    for place in range(start, end):
        for other in others:
            if other != sender[place]:
                changed = sender[:place] + other + sender[place + 1 :]
                assert verp.read(changed) is None, changed
        assert verp.read(sender[:place] + sender[place + 1 :]) is None
        assert verp.read(sender[: place + 1] + "0" + sender[place + 1 :]) is None
    mark = sender[sender.index("-") :]
    assert verp.read(f"bounces+b4321{mark}") is None


NOTHING = (
    *("", "@", "bounces", "bounces@papers.example", "+b1-@x", "a+b1-aaaaaaaaaaaaaaaa@x"),
    *("b" * 10**5, "+b" + "9" * 5000 + "-aaaaaaaaaaaaaaaa@x", "+b1" * 10**4),
    *("a\n+b1-aaaaaaaaaaaaaaaa@x", "\udcff+b1-a@b"),
)


@pytest.mark.parametrize("address", NOTHING, ids=range(len(NOTHING)))
def test_other_addresses_name_nothing(address):
    assert Verp(ADDRESS, [NEW]).read(address) is None


def test_keys_rotate_the_first_signs_and_all_verify():
    before, after = Verp(ADDRESS, [OLD]), Verp(ADDRESS, [NEW, OLD])
    assert after.read(before.sender(5)) == 5
    assert before.read(after.sender(5)) is None
    assert after.sender(5) == Verp(ADDRESS, [NEW]).sender(5)


def test_the_marks_are_good_for_nothing_else():
    link = Tokens([NEW]).sign(Purpose.UNSUBSCRIBE, "5", NOON)
    assert Verp(ADDRESS, [NEW]).read(f"bounces+b5-{link[:16].lower()}@papers.example") is None


def test_a_moved_or_aliased_mailbox_still_reads_its_old_tokens():
    sender = Verp(ADDRESS, [NEW]).sender(9)
    local = sender.partition("@")[0]
    assert Verp("returns@other.example", [NEW]).read(f"{local}@mx1.papers.example") == 9


def test_an_address_with_a_plus_keeps_it():
    verp = Verp("mail+digest@papers.example", [NEW])
    assert verp.sender(3).startswith("mail+digest+b3-")
    assert verp.read(verp.sender(3)) == 3


def test_where_it_is_off_the_address_stays_plain():
    off = Verp(ADDRESS, [NEW], enabled=False)
    assert off.sender(3) == ADDRESS
    assert off.read(Verp(ADDRESS, [NEW]).sender(3)) is None
    assert Verp("x" * 64 + "@papers.example", [], enabled=False).sender(1).startswith("xxx")


def test_the_local_part_never_passes_64_octets():
    longest = Verp("x" * 35 + "@papers.example", [NEW]).sender(2**31 - 1)
    assert len(longest.partition("@")[0]) == 64
    for local in ("x" * 36, "é" * 18):
        with pytest.raises(ConfigError, match="more than 35 octets"):
            Verp(f"{local}@papers.example", [NEW])
    with pytest.raises(ConfigError, match="secret_keys"):
        Verp(ADDRESS, [""])


def test_our_own_mailbox_is_known_with_a_token_and_without():
    verp = Verp(ADDRESS, [NEW])
    for address in (ADDRESS, "<Bounces@PAPERS.example>", verp.sender(1)):
        assert verp.is_ours(address)
    for address in ("ada@papers.example", "bounces@other.example", "bounces2@papers.example", ""):
        assert not verp.is_ours(address)
    assert not Verp("", [], enabled=False).is_ours("")
