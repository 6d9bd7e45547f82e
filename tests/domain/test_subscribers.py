"""Addresses, their identity, preferences and the changes of status."""

import json

import pytest

from digest.domain.subscribers import (
    Preferences,
    Status,
    address,
    address_hash,
    address_key,
    may_become,
)
from digest.errors import InvalidInput


@pytest.mark.parametrize(
    ("typed", "canonical"),
    [
        (" Ada.B+tag@EXAMPLE.com\u00a0", "Ada.B+tag@example.com"),
        ("a@b.invalid", "a@b.invalid"),
        ("a@b.test", "a@b.test"),
        ("a@lab.local", "a@lab.local"),
        ("jürgen@bücher.example", "jürgen@bücher.example"),
        ("a@xn--bcher-kva.example", "a@bücher.example"),
        ("a@BÜCHER.example", "a@bücher.example"),
        ("a@b。example", "a@b.example"),
        ("用户@例え.テスト", "用户@例え.テスト"),
        ("e\u0301@b.example", "é@b.example"),
        ("'o'neill=x@b.example", "'o'neill=x@b.example"),
        ("x" * 64 + "@b.example", "x" * 64 + "@b.example"),
    ],
)
def test_an_address_is_taken_in_its_canonical_spelling(typed, canonical):
    assert address(typed) == canonical
    assert address(canonical) == canonical


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "@",
        "ada",
        "ada@",
        "@b.example",
        "ada@localhost",
        "ada@example",
        "ada@[127.0.0.1]",
        "ada@[IPv6:::1]",
        "ada@127.0.0.1",
        "a@b.example, c@d.example",
        "a@b.example;c@d.example",
        "a@b.example c@d.example",
        "a@b@c.example",
        "Ada <ada@b.example>",
        "<ada@b.example>",
        '"john doe"@b.example',
        '"a@b.example, c"@d.example',
        "(hi)ada@b.example",
        "ada(hi)@b.example",
        "ada@b.example(hi)",
        "ada@b.example\r\nBcc: eve@b.example",
        "ada@b.example\n",
        "\x1cada@b.example",
        "ada\x00@b.example",
        "ada@b.example\x00",
        "a\u200bda@b.example",
        "\u202eada@b.example",
        "ada\udcff@b.example",
        "ada@b\udcff.example",
        "a..b@b.example",
        ".a@b.example",
        "a.@b.example",
        "a@-b.example",
        "a@b..example",
        "a@b.example.",
        "x" * 65 + "@b.example",
        "a@" + "b" * 64 + ".example",
        "x" * 64 + "@" + ".".join(["y" * 60] * 4) + ".example",  # 320 characters and more
    ],
)
def test_what_is_not_one_mail_address_is_refused_in_one_short_line(typed):
    with pytest.raises(InvalidInput, match="is not one mail address") as refused:
        address(typed)
    said = str(refused.value)
    assert said.isprintable() and len(said) < 400


def test_real_lists_of_addresses_are_taken_or_refused_and_never_crash(shared):
    cases = json.loads((shared / "hostile/isemail/cases.json").read_text("utf-8"))
    texts = [(case["address"], case["category"]) for case in cases]
    lists = json.loads((shared / "hostile/emailvalidation/cases.json").read_text("utf-8"))
    texts += [(text, "list") for group in lists.values() for text in group if isinstance(text, str)]
    for text, category in texts:
        try:
            found = address(text)
        except InvalidInput:
            continue
        assert category != "ISEMAIL_ERR" or text.startswith((" ", "\t")) or text.endswith(" ")
        assert found.count("@") == 1 and not set(found) & set('\r\n\0",;<>() ')


def test_case_makes_no_other_address_but_another_letter_does():
    assert address_key("Ada@Example.COM") == address_key("ada@example.com")
    assert address_key("É@b.example") == address_key("e\u0301@b.example")
    assert address_key("straße@b.example") != address_key("strasse@b.example")


def test_the_hash_depends_on_the_pepper_and_not_on_case():
    # printf ada@example.com | openssl dgst -sha256 -hmac pepper
    expected = "73c43507a0192e95887a051ea55e31d1744e34bf152ba65977f3e52fd1f683a5"
    assert address_hash("pepper", "Ada@EXAMPLE.com") == expected
    assert address_hash("other", "ada@example.com") != expected


@pytest.mark.parametrize(
    "wrong",
    (
        *({"max_papers": 0}, {"max_papers": 51}, {"min_matches": 0}),
        *({"threshold": -0.1}, {"threshold": 1.1}, {"threshold": float("nan")}),
    ),
)
def test_preferences_out_of_range_are_refused(wrong):
    with pytest.raises(InvalidInput, match="give"):
        Preferences(**wrong)


def test_nobody_leaves_an_opt_out_by_a_change_of_status():
    for status in Status:
        assert may_become(status, status)
        assert may_become(status, Status.SUPPRESSED)
        assert may_become(Status.SUPPRESSED, status) == (status is Status.SUPPRESSED)
    for status in (Status.PENDING, Status.ACTIVE, Status.PAUSED):
        assert not may_become(Status.UNSUBSCRIBED, status)
        assert may_become(status, Status.UNSUBSCRIBED)
    assert not may_become(Status.ACTIVE, Status.PENDING)
