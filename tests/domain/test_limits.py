"""What limits count against, what is no limit, and how long a refusal asks to be waited."""

from datetime import timedelta

import pytest

from digest.domain.limits import Limits, Rate, asked_delay, recipient_domain
from digest.errors import InvalidInput

SECOND = timedelta(seconds=1)
FIVE = Rate(per_second=5)


@pytest.mark.parametrize(
    ("rate", "spacing"), [(0.2, 5.0), (1, 1.0), (2.5, 0.4), (3, 0.333334), (7, 0.142858), (0, 0)]
)
def test_beginnings_are_never_closer_than_the_rate_allows(rate, spacing):
    assert Rate(per_second=rate).spacing == spacing * SECOND
    assert not rate or Rate(per_second=rate).spacing * rate >= SECOND


@pytest.mark.parametrize(
    "wrong",
    [
        {"per_second": -1},
        {"per_second": float("nan")},
        {"per_second": float("inf")},
        {"per_second": 1e9},
        {"per_second": 0.0001},
        {"per_second": "5"},
        {"per_second": True},
        {"per_hour": -1},
        {"per_hour": 10**12},
        {"per_hour": 2.5},
    ],
)
def test_what_is_no_rate_is_refused_with_the_mend(wrong):
    with pytest.raises(InvalidInput, match=next(iter(wrong))):
        Rate(**wrong)


@pytest.mark.parametrize("domain", ["", "gmail", "a@gmail.com", "gm ail.com", "*.com", "x" * 300])
def test_what_is_no_domain_is_refused(domain):
    with pytest.raises(InvalidInput, match="no mail domain"):
        Limits.of(Rate(), {domain: FIVE})


def test_a_domain_in_two_spellings_is_refused():
    with pytest.raises(InvalidInput, match="twice"):
        Limits.of(Rate(), {"bücher.example": FIVE, "XN--bcher-kva.example": FIVE})


@pytest.mark.parametrize(
    ("spelling", "domain"),
    [
        ("ada@Gmail.COM", "gmail.com"),
        ("gmail.com.", "gmail.com"),
        ("ada@bücher.example", "xn--bcher-kva.example"),
        ("ada@BÜCHER.example", "xn--bcher-kva.example"),
        ("ada@straße.example", "xn--strae-oqa.example"),
        ("ada@☃☃..example", "☃☃..example"),
    ],
)
def test_a_domain_has_one_spelling(spelling, domain):
    assert recipient_domain(spelling) == domain


def test_only_what_is_limited_is_counted():
    assert Limits().scopes("ada@gmail.com") == ()
    assert not Limits.of(Rate(), {"gmail.com": Rate()})
    named = Limits.of(Rate(), {"gmail.com": FIVE})
    assert named.scopes("ada@gmail.com") == (("domain/gmail.com", FIVE),)
    assert named.scopes("ada@mail.gmail.com") == ()
    whole = Limits.of(FIVE, {"*": Rate(per_hour=9), "gmail.com": Rate()})
    assert whole.scopes("ada@gmail.com") == (("all", FIVE),)
    assert whole.scopes("ada@web.example") == (
        ("all", FIVE),
        ("domain/web.example", Rate(per_hour=9)),
    )


@pytest.mark.parametrize(
    ("reply", "seconds"),
    [
        ("4.7.1 Greylisting in action, please come back in 00:05:00", 300),
        ("4.7.1 Greylisted, please try again in 180 seconds", 180),
        ("<a@b.example>: Recipient address rejected: Greylisted for 5 minutes (see http://x)", 300),
        ("4.2.0 Greylisting in effect for 300 seconds", 300),
        ("Graylisted - please try again later, wait 4 minutes 30 seconds", 270),
        ("Temporarily rejected. Try again in 15 mins", 900),
        ("4.3.2 Please retry after 60s", 60),
        ("rate limited, Retry-After: 120", 120),
        ("too many connections, retry after 300", 300),
        ("4.7.0 sending too fast, please wait for 10 minutes and try again", 600),
        ("Please wait at least 2 min before sending", 120),
        ("Try again after 1 hour(s)", 3600),
        ("4.5.3 Retry in 1.5 hours", 5400),
        ("you may resend your message in 1h 30m", 5400),
        ("come back\r\n  in   30 SECONDS", 30),
        ("try again in 0 seconds", 1),
        ("try again in 9999999 hours", 4 * 3600),
        ("delivery deferred, will accept mail again in 00:00:59", 59),
    ],
)
def test_the_time_a_refusal_asks_for_is_kept_to(reply, seconds):
    assert asked_delay(reply) == seconds * SECOND


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "4.7.1 Greylisted, see http://postgrey.schweikert.ch/help/example.com.html",
        "4.2.2 The email account that you tried to reach is over quota. Please try again later.",
        "4.7.28 limit of 100 messages per 60 minutes reached, try again later",
        "4.7.500 Server busy. Please try again later from [192.0.2.7]. (S77719)",
        "message delayed 24 hours",
        "retry time not reached for any host after a long failure period",
        "4.4.2 timeout exceeded after 300 seconds",
        "Gmail will retry for 47 more hours",
        "please check the domain and try again (-1915321397:308:-2147467259)",
        "try again in 300",
        "retry after 12:30 today",
        "retry after 3 messages",
        "try again in 5 mailboxes",
        "retry after 10.5.3.2 is reachable",
        "Will-Retry-Until: Wed, 03 May 2017 04:41:00 -0700",
        "wait for the postmaster at +1 555 0100",
    ],
)
def test_other_times_and_numbers_are_no_request(reply):
    assert asked_delay(reply) is None


def test_a_hostile_reply_takes_no_long_time():
    assert asked_delay("try " + "again " * 100_000) is None
    assert asked_delay("retry it " * 200 + "1" * 100_000 + " seconds") is None
