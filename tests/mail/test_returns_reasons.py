"""Where in a notice the reason is looked for."""

from digest.domain.bounces import BounceKind
from digest.mail.returns.reasons import reason_in, reason_of

_EXCHANGE = """Your message

  To:      a@example.org
  Subject: {subject}
  Sent:    Fri, 18 Oct 2002 09:25:07 -0600

did not reach the following recipient(s):

a@example.org on Fri, 18 Oct 2002 09:13:24 -0600
    {reason}
"""


def test_the_subject_of_the_returned_mail_is_no_reason() -> None:
    gone = _EXCHANGE.format(subject="A virus in my mail", reason="The recipient name is not known")
    kept = _EXCHANGE.format(subject="Unknown user", reason="The mailbox is full")

    assert reason_in(gone).kind is BounceKind.HARD
    assert reason_in(kept).kind is BounceKind.SOFT


def test_the_set_text_before_the_address_is_no_reason_where_one_follows() -> None:
    text = (
        "Usually the recipient's quota is exceeded or our server is blocked.\n\n"
        "  a@example.org\n    Unrouteable address\n"
    )

    assert reason_in(text).kind is BounceKind.HARD
    assert reason_in(text.replace("Unrouteable address", "")).kind is BounceKind.POLICY


def test_a_diagnostic_that_says_nothing_leaves_the_word_to_the_notice() -> None:
    notice = "<a@example.org>: no such mailbox"

    assert reason_of("5.0.0", "smtp; 550 failed to pass", notice).kind is BounceKind.HARD
    assert reason_of("5.0.0", "smtp; 550 mailbox full", notice).kind is BounceKind.SOFT
    assert reason_of("5.0.0", "smtp; 550 see http://www.spamhaus.org/q", notice).kind is (
        BounceKind.POLICY
    )


def test_the_command_named_in_the_notice_makes_a_bare_refusal_plain() -> None:
    said = "host mx.example.org[192.0.2.1] said: 550 {} (in reply to {} command)"

    for words in ("5.5.0 recipient", "<a@example.org>", "mailbox"):
        assert reason_in(said.format(words, "RCPT TO")).kind is BounceKind.HARD, words
        assert reason_in(said.format(words, "end of DATA")).kind is not BounceKind.HARD, words
    assert reason_in(said.format("<a@example.org> denied", "RCPT TO")).kind is not BounceKind.HARD
