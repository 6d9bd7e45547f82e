"""Signed tokens and the links that carry them."""

import string
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import TimestampSigner
from itsdangerous.encoding import base64_encode

from digest.domain.papers import PaperId
from digest.errors import BadToken, ConfigError, ExpiredToken
from digest.mail import links
from digest.mail.links import Site, safe_url, unsubscribe_mailto
from digest.mail.tokens import Purpose, Tokens

NOW = datetime(2026, 3, 12, 8, tzinfo=UTC)
KEYS = st.text("abcdef-", min_size=8, max_size=40)
OLD, NEW = "old-key-old-key-old", "new-key-new-key-new"


def test_a_token_gives_its_payload_back() -> None:
    tokens = Tokens([NEW])
    token = tokens.sign(Purpose.CONFIRM, "12:ä", NOW)
    assert tokens.read(Purpose.CONFIRM, token, NOW, timedelta(days=1)) == "12:ä"


def test_the_first_key_signs_and_all_verify() -> None:
    rotated = Tokens([NEW, OLD])
    old_token = Tokens([OLD]).sign(Purpose.CONFIRM, "12", NOW)
    new_token = rotated.sign(Purpose.CONFIRM, "12", NOW)
    assert rotated.read(Purpose.CONFIRM, old_token, NOW) == "12"
    assert new_token == Tokens([NEW]).sign(Purpose.CONFIRM, "12", NOW)
    with pytest.raises(BadToken):
        Tokens([OLD]).read(Purpose.CONFIRM, new_token, NOW)


def test_a_token_is_worthless_for_another_purpose() -> None:
    tokens = Tokens([NEW])
    token = tokens.sign(Purpose.PREFERENCES, "12", NOW)
    with pytest.raises(BadToken):
        tokens.read(Purpose.UNSUBSCRIBE, token, NOW)


def test_an_old_token_is_told_apart_from_a_forged_one() -> None:
    tokens = Tokens([NEW])
    token = tokens.sign(Purpose.CONFIRM, "12", NOW)
    late = NOW + timedelta(days=8)
    with pytest.raises(ExpiredToken):
        tokens.read(Purpose.CONFIRM, token, late, timedelta(days=7))
    assert tokens.read(Purpose.CONFIRM, token, late) == "12"


@given(st.text(max_size=40), st.sampled_from(Purpose), st.lists(KEYS, min_size=1, max_size=3))
def test_tokens_are_what_itsdangerous_signs(
    payload: str, purpose: Purpose, keys: list[str]
) -> None:
    class Dated(TimestampSigner):
        def get_timestamp(self) -> int:
            return int(NOW.timestamp())

    signer = Dated(keys[::-1], salt=f"digest.{purpose}")
    expected = signer.sign(base64_encode(payload.encode("utf-8"))).decode()
    assert Tokens(keys).sign(purpose, payload, NOW) == expected
    assert Tokens(keys).read(purpose, expected, NOW) == payload


@given(st.from_regex(links._PLAIN, fullmatch=True))
def test_plain_addresses_are_links_by_the_long_way_too(url: str) -> None:
    assert links._checked(url) == url


@pytest.mark.parametrize("token", ["", ".", "a.b.c", "MTI", "\x00", "ü.ü.ü", "x" * 5000])
def test_garbage_is_refused(token: str) -> None:
    with pytest.raises(BadToken):
        Tokens([NEW]).read(Purpose.CONFIRM, token, NOW)


def test_a_changed_token_is_refused() -> None:
    tokens = Tokens([NEW])
    token = tokens.sign(Purpose.CONFIRM, "12", NOW)
    payload, rest = token.split(".", 1)
    forged = Tokens(["another-key-another"]).sign(Purpose.CONFIRM, "13", NOW).split(".")[0]
    assert payload != forged
    with pytest.raises(BadToken):
        tokens.read(Purpose.CONFIRM, f"{forged}.{rest}", NOW)


def test_a_token_with_any_character_changed_or_added_is_refused() -> None:
    tokens = Tokens([NEW])
    token = tokens.sign(Purpose.CONFIRM, "12", NOW)
    others = string.ascii_letters + string.digits + "-_.=\n\0é"
    changed = [token[:at] + c + token[at + 1 :] for at in range(len(token)) for c in others]
    for wrong in [*changed, *(token + c for c in others), token.upper(), token[:-1], "\ud800.a.b"]:
        if wrong != token:
            with pytest.raises(BadToken):
                tokens.read(Purpose.CONFIRM, wrong, NOW)


def test_the_same_arguments_give_the_same_token() -> None:
    assert Tokens([NEW]).sign(Purpose.CONFIRM, "1", NOW) == Tokens([NEW]).sign(
        Purpose.CONFIRM, "1", NOW
    )


def test_without_keys_nothing_is_signed() -> None:
    with pytest.raises(ConfigError):
        Tokens([])


def test_links_lead_to_the_site_or_to_nothing() -> None:
    site = Site(url="https://papers.example.org")
    assert site.confirm("a.b-c_d") == "https://papers.example.org/confirm/a.b-c_d"
    assert site.unsubscribe("t/../x") == "https://papers.example.org/unsubscribe/t%2F..%2Fx"
    assert site.preferences("t") == "https://papers.example.org/preferences/t"
    assert site.paper(PaperId(7)) == "https://papers.example.org/papers/7"
    assert Site().paper(PaperId(7)) is None


def test_one_leaves_by_mail_where_there_is_an_address() -> None:
    assert (
        unsubscribe_mailto("a@b.example", "t.s") == "mailto:a@b.example?subject=unsubscribe%20t.s"
    )
    assert unsubscribe_mailto("", "t.s") is None


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "//evil.example/x",
        "/relative",
        "https://",
        "https://a b/",
        "https://a/\nX: y",
        'https://a/"onclick=',
        "https://user:secret@host/",
        "https://[bad/",
        "ftp://host/x",
        "https://a/" + "x" * 1000,
        "https://a/" + "é" * 400,  # 2,400 characters once encoded
        "https://a/\ud800",
        "mailto:nobody",
    ],
)
def test_addresses_that_must_not_be_links_are_dropped(url: str | None) -> None:
    assert safe_url(url) is None


def test_addresses_outside_ascii_are_encoded() -> None:
    assert safe_url("https://bücher.example/ä?q=ö") == (
        "https://xn--bcher-kva.example/%C3%A4?q=%C3%B6"
    )
    assert safe_url("http://p/ä") == "http://p/%C3%A4"  # a host that is within the scheme's name
    assert (
        safe_url("https://arxiv.org/abs/2603.1?a=b&c=d") == "https://arxiv.org/abs/2603.1?a=b&c=d"
    )
