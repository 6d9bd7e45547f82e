"""Reading mails that came back, whoever wrote them."""

from datetime import UTC, datetime

import pytest

from digest.domain.bounces import BounceKind
from digest.mail.returns import Returned, ReturnKind, read
from digest.mail.tokens import Purpose, Tokens

TOKEN = Tokens(["key"]).sign(Purpose.UNSUBSCRIBE, "17", datetime(2026, 11, 22, tzinfo=UTC))
ORIGINAL = """\
Return-Path: <bounces+b17-abcdef@digest.example>
Received: from us by them for <reader@example.org>; Thu, 1 Jan 2026 00:00:00 +0000
From: Digest <digest@digest.example>
To: reader@example.org
Message-ID: <digest.0123@digest.example>
List-Unsubscribe: <https://digest.example/unsubscribe/TOKEN>
Subject: Ten papers

Hello
""".replace("TOKEN", TOKEN)


def a_mail(body: str, *, content_type: str = "text/plain", **fields: str) -> bytes:
    head = {
        "Return-Path": "<>",
        "From": "Mail Delivery System <MAILER-DAEMON@mx.example.com>",
        "To": "bounces+b17-abcdef@digest.example",
        "Subject": "Undelivered Mail Returned to Sender",
        "Message-ID": "<bounce.1@mx.example.com>",
        "Content-Type": content_type,
    }
    head |= {name.replace("_", "-"): value for name, value in fields.items()}
    return ("".join(f"{k}: {v}\n" for k, v in head.items() if v) + "\n" + body).encode()


def a_dsn(groups: str, *, original: str = ORIGINAL, **fields: str) -> bytes:
    body = (
        "--b\nContent-Type: text/plain\n\nI'm sorry, your mail was not delivered.\n"
        "--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n"
        f"{groups}\n"
        f"--b\nContent-Type: message/rfc822\n\n{original}\n--b--\n"
    )
    kind = 'multipart/report; report-type=delivery-status; boundary="b"'
    return a_mail(body, content_type=kind, **fields)


def a_complaint(report: str, original: str = ORIGINAL) -> bytes:
    body = (
        "--b\nContent-Type: text/plain\n\nThis is an abuse report.\n"
        f"--b\nContent-Type: message/feedback-report\n\n{report}\n"
        f"--b\nContent-Type: message/rfc822\n\n{original}\n--b--\n"
    )
    kind = 'multipart/report; report-type=feedback-report; boundary="b"'
    return a_mail(body, content_type=kind, From="fbl@isp.example", Subject="Report", Return_Path="")


def the_failure(returned: Returned) -> tuple[str, str, BounceKind]:
    assert returned.kind is ReturnKind.BOUNCE
    (failure,) = returned.failures
    return failure.address, failure.status, failure.kind


def test_a_delivery_status_names_recipient_status_and_reason() -> None:
    returned = read(
        a_dsn(
            "Final-Recipient: rfc822; reader@example.org\nAction: failed\nStatus: 5.1.1\n"
            "Diagnostic-Code: smtp; 550 5.1.1 <reader@example.org>: User\n unknown"
        )
    )

    assert the_failure(returned) == ("reader@example.org", "5.1.1", BounceKind.HARD)
    assert returned.failures[0].detail == "550 5.1.1 <reader@example.org>: User unknown"


def test_the_original_recipient_is_preferred_and_decoded() -> None:
    returned = read(
        a_dsn(
            "Original-Recipient: rfc822;reader+2Bnews@example.org\n"
            "Final-Recipient: rfc822; inner@mx.example\nAction: failed\nStatus: 5.2.2"
        )
    )

    assert the_failure(returned) == ("reader+news@example.org", "5.2.2", BounceKind.SOFT)


def test_each_recipient_of_a_report_has_its_own_reason() -> None:
    returned = read(
        a_dsn(
            "Final-Recipient: rfc822; a@example.org\nAction: failed\nStatus: 5.1.1\n\n"
            "Final-Recipient: rfc822; b@example.org\nAction: failed\nStatus: 5.2.2\n\n"
            "Final-Recipient: rfc822; c@example.org\nAction: delayed\nStatus: 4.4.1\n"
        )
    )

    assert [(f.address, f.kind) for f in returned.failures] == [
        ("a@example.org", BounceKind.HARD),
        ("b@example.org", BounceKind.SOFT),
    ]


@pytest.mark.parametrize("action", ["delayed", "Delivered", "relayed", "expanded", "delayed (2 h)"])
def test_a_status_that_is_no_failure_is_no_bounce(action: str) -> None:
    returned = read(
        a_dsn(f"Final-Recipient: rfc822; reader@example.org\nAction: {action}\nStatus: 4.4.1")
    )

    assert (returned.kind, returned.failures) == (ReturnKind.OTHER, ())
    assert returned.recipients == ("reader@example.org",)


def test_tokens_and_message_ids_of_the_original_are_found() -> None:
    returned = read(
        a_dsn(
            "Final-Recipient: rfc822; reader@example.org\nAction: failed\nStatus: 5.1.1",
            To="postmaster@digest.example",
        )
    )

    assert "bounces+b17-abcdef@digest.example" in returned.addressed_to
    assert "postmaster@digest.example" in returned.addressed_to
    assert returned.message_ids == ("<digest.0123@digest.example>",)


def test_the_way_the_bounce_took_tells_its_address_too() -> None:
    returned = read(
        b"Received: by us for <bounces+b9-x@digest.example>; today\n"
        + a_mail("nothing", To="undisclosed", Delivered_To="bounces+b8-x@digest.example")
    )

    assert set(returned.addressed_to) >= {
        "bounces+b9-x@digest.example",
        "bounces+b8-x@digest.example",
    }


@pytest.mark.parametrize(
    "text",
    [
        "Hi. This is the qmail-send program at x.\nI'm afraid I wasn't able to deliver your "
        "message.\n\n<reader@example.org>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n"
        "--- Below this line is a copy of the message.\n\n",
        "The following address(es) failed:\n\n  reader@example.org\n    host mx [192.0.2.1]: "
        "550 5.1.1 User unknown\n\n------ This is a copy of the message ------\n\n",
        "   ----- The following addresses had permanent fatal errors -----\n<reader@example.org>\n"
        "\n   ----- Transcript of session follows -----\n>>> RCPT To:<reader@example.org>\n"
        "<<< 550 5.1.1 <reader@example.org>... User unknown\n\n   ----- Unsent message follows\n",
        "Your mail could not be delivered.\nSent >>> RCPT TO:<reader@example.org>\n"
        "Received <<< 550 5.1.1 no such user\n\n-- original message --\n",
        "Ihre Nachricht an reader@example.org konnte nicht zugestellt werden: Empfänger "
        "unbekannt\n\n--- Ursprüngliche Nachricht ---\n",
        "次の宛先へ配信できませんでした。\n\nreader@example.org: 宛先のアドレスが存在しません\n\n"
        "----- 元のメール -----\n",
        "К сожалению, письмо не доставлено:\n  reader@example.org\n    адрес не существует\n\n",
    ],
)
def test_a_bounce_in_prose_is_understood(text: str) -> None:
    returned = read(a_mail(text + ORIGINAL))

    address, _, kind = the_failure(returned)
    assert (address, kind) == ("reader@example.org", BounceKind.HARD)
    assert returned.message_ids == ("<digest.0123@digest.example>",)


def test_recipients_in_prose_keep_their_own_reasons() -> None:
    returned = read(
        a_mail(
            "I wasn't able to deliver your message.\n\n<a@example.org>:\nRemote host said: 550 "
            "5.1.1 user unknown\n\n<b@example.org>:\nRemote host said: 552 5.2.2 mailbox full\n"
        )
    )

    assert [(f.address, f.kind) for f in returned.failures] == [
        ("a@example.org", BounceKind.HARD),
        ("b@example.org", BounceKind.SOFT),
    ]


def test_a_field_names_the_failed_recipients() -> None:
    returned = read(
        a_mail("Diese Mail kam nicht an.", X_Failed_Recipients="reader@example.org", Subject="Oops")
    )

    assert the_failure(returned) == ("reader@example.org", "", BounceKind.SOFT)


def test_an_alias_does_not_hide_whom_we_wrote_to() -> None:
    returned = read(
        a_mail(
            "The following address failed:\n\n  inner@mx.example\n"
            "    (generated from reader@example.org)\n    550 5.1.1 user unknown\n"
        )
    )

    assert the_failure(returned)[0] == "reader@example.org"


def test_a_warning_of_delay_is_no_bounce() -> None:
    returned = read(
        a_mail(
            "THIS IS A WARNING MESSAGE ONLY.\nDelivery to reader@example.org has been delayed.\n",
            Subject="Delivery Status Notification (Delay)",
        )
    )

    assert returned.kind is ReturnKind.OTHER
    assert returned.recipients == ("reader@example.org",)


def test_a_refused_message_says_nothing_of_its_recipient() -> None:
    returned = read(
        a_mail(
            "  reader@example.org\n    SMTP error from remote mail server after MAIL FROM:"
            "<bounces@digest.example>:\n    550 no such user\n"
        )
    )

    assert the_failure(returned)[2] is BounceKind.POLICY


def test_an_error_in_html_alone_is_understood() -> None:
    returned = read(
        a_mail(
            "<html><style>p {color: red}</style><p>Your message to <b>reader@example.org</b> "
            "couldn't be delivered.</p><p>550 5.1.10 Recipient not found</p></html>",
            content_type="text/html; charset=nonsense-8",
        )
    )

    assert the_failure(returned) == ("reader@example.org", "5.1.10", BounceKind.HARD)


@pytest.mark.parametrize("kind", ["abuse", "fraud", "virus", "other", "Abuse", ""])
def test_a_complaint_names_who_complains(kind: str) -> None:
    returned = read(
        a_complaint(
            f"Feedback-Type: {kind}\nVersion: 1\nOriginal-Rcpt-To: <reader@example.org>\n"
            "Original-Mail-From: <bounces+b3-tok@digest.example>\n"
        )
    )

    assert returned.kind is ReturnKind.COMPLAINT
    assert [failure.address for failure in returned.failures] == ["reader@example.org"]
    assert "bounces+b3-tok@digest.example" in returned.addressed_to
    assert returned.message_ids == ("<digest.0123@digest.example>",)


@pytest.mark.parametrize("kind", ["not-spam", "auth-failure", "dmarc"])
def test_praise_and_authentication_reports_are_no_complaint(kind: str) -> None:
    assert read(a_complaint(f"Feedback-Type: {kind}\nVersion: 1")).kind is ReturnKind.OTHER


def test_a_blacked_out_complaint_leaves_the_token_of_the_link() -> None:
    returned = read(
        a_complaint("Feedback-Type: abuse", ORIGINAL.replace("reader@example.org", "redacted@x.y"))
    )

    assert (returned.failures, returned.unsubscribe_token) == ((), TOKEN)


def test_microsofts_own_form_of_complaint_is_one() -> None:
    returned = read(
        a_mail(
            f"--b\nContent-Type: message/rfc822\n\n{ORIGINAL}\n--b--\n",
            content_type="multipart/mixed; boundary=b",
            Subject="complaint about message from 192.0.2.1",
            From="staff@hotmail.com",
        )
    )

    assert returned.kind is ReturnKind.COMPLAINT


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        (f"unsubscribe {TOKEN}", ""),
        (f"Re: Unsubscribe {TOKEN}", "Sent from my phone"),
        (f"AW: Re: unsubscribe:{TOKEN[:30]}\n {TOKEN[30:]}", ""),
        ("unsubscribe", f"unsubscribe {TOKEN[:40]}\n{TOKEN[40:]}\nSent from my phone"),
        ("unsubscribe", TOKEN),
        ("(no subject)", f"unsubscribe {TOKEN}"),
        (
            "unsubscribe",
            f"please\n> On Monday we wrote:\n> https://d.example/unsubscribe/{TOKEN}\n",
        ),
    ],
)
def test_an_opt_out_by_mail_hands_over_its_token(subject: str, body: str) -> None:
    returned = read(a_mail(body, From="reader@example.org", Subject=subject, Return_Path=""))

    assert (returned.kind, returned.unsubscribe_token) == (ReturnKind.UNSUBSCRIBE, TOKEN)
    assert returned.sender == "reader@example.org"


def test_an_opt_out_in_quoted_printable_is_joined_again() -> None:
    raw = a_mail(
        f"unsubscribe {TOKEN[:20]}=\n{TOKEN[20:]}\n",
        From="reader@example.org",
        Subject="unsubscribe",
        Content_Transfer_Encoding="quoted-printable",
    )

    assert read(raw).unsubscribe_token == TOKEN


@pytest.mark.parametrize(
    ("subject", "kind"),
    [
        (f"unsubscribe {TOKEN}", ReturnKind.UNSUBSCRIBE),  # a mail program, for its reader
        (f"Re: unsubscribe {TOKEN}", ReturnKind.AUTO_REPLY),
        ("Re: Unsubscribe me: how readers leave", ReturnKind.AUTO_REPLY),
        ("Re: Ten papers", ReturnKind.AUTO_REPLY),
    ],
)
def test_an_answering_machine_that_quotes_us_unsubscribes_nobody(
    subject: str, kind: ReturnKind
) -> None:
    body = f"Unsubscribe\n> https://d.example/unsubscribe/{TOKEN}\nI am away."
    fields = {"From": "reader@example.org", "Subject": subject, "Auto_Submitted": "auto-replied"}

    assert read(a_mail(body, **fields)).kind is kind


@pytest.mark.parametrize("subject", ["unsubscribe", "Unsubscribe me", "please unsubscribe"])
def test_a_bare_opt_out_has_no_token(subject: str) -> None:
    returned = read(a_mail("thanks", From="reader@example.org", Subject=subject, Return_Path=""))

    assert (returned.kind, returned.unsubscribe_token) == (ReturnKind.UNSUBSCRIBE, None)


def test_a_reply_that_quotes_our_link_asks_for_nothing() -> None:
    body = f"Thank you!\n\n> unsubscribe: https://digest.example/unsubscribe/{TOKEN}\n"
    returned = read(a_mail(body, From="reader@example.org", Subject="Re: Ten papers"))

    assert returned.kind is ReturnKind.OTHER


@pytest.mark.parametrize(
    "fields",
    [
        {"Auto_Submitted": "auto-replied"},
        {"Auto_Submitted": "auto-replied (vacation)", "Subject": "Re: Ten papers"},
        {"X_Autoreply": "yes"},
        {"Precedence": "auto_reply"},
        {"Subject": "Out of Office: Ten papers"},
        {"Subject": "Automatic reply: Ten papers"},
        {"Subject": "Abwesenheitsnotiz"},
        {"Subject": "自動返信: Ten papers"},
    ],
)
def test_an_automatic_reply_is_known(fields: dict[str, str]) -> None:
    usual = {"From": "reader@example.org", "Return_Path": "", "Subject": "I am away"}
    returned = read(a_mail("I could not read your mail until Monday.", **(usual | fields)))

    assert (returned.kind, returned.failures) == (ReturnKind.AUTO_REPLY, ())


def test_a_read_receipt_is_an_automatic_reply() -> None:
    returned = read(
        a_mail(
            "--b\nContent-Type: text/plain\n\nYour message was displayed.\n"
            "--b\nContent-Type: message/disposition-notification\n\n"
            "Final-Recipient: rfc822; reader@example.org\n"
            "Disposition: manual-action/MDN-sent-manually; displayed\n--b--\n",
            content_type="multipart/report; report-type=disposition-notification; boundary=b",
        )
    )

    assert returned.kind is ReturnKind.AUTO_REPLY


@pytest.mark.parametrize(
    "fields",
    [
        {"Subject": "Question about delivery failure in distributed systems"},
        {"Subject": "Re: Undelivered Mail Returned to Sender"},
        {"Subject": "Fwd: failure notice"},
        {"Subject": "Ten papers"},
    ],
)
def test_what_a_person_writes_is_no_bounce(fields: dict[str, str]) -> None:
    usual = {"From": "A Person <person@example.net>", "Return_Path": "<person@example.net>"}
    body = "Hello,\n\nI got this: 550 5.1.1 <reader@example.org> user unknown. What now?\n"

    assert read(a_mail(body, **(usual | fields))).kind is not ReturnKind.BOUNCE


def test_a_mail_with_a_mail_attached_is_no_bounce() -> None:
    returned = read(
        a_mail(
            "--b\nContent-Type: text/plain\n\nsee this\n"
            f"--b\nContent-Type: message/rfc822\n\n{ORIGINAL}\n--b--\n",
            content_type="multipart/mixed; boundary=b",
            From="person@example.net",
            Subject="original as attachment",
            Return_Path="<person@example.net>",
        )
    )

    assert returned.kind is ReturnKind.OTHER


def test_a_bounce_loop_is_nothing() -> None:
    inner = a_dsn("Final-Recipient: rfc822; x@example.org\nAction: failed\nStatus: 5.1.1").decode()
    outer = a_dsn(
        "Final-Recipient: rfc822; bounces+b17-abcdef@digest.example\nAction: failed\nStatus: 5.1.1",
        original=inner.replace("--b", "--inner").replace('boundary="b"', 'boundary="inner"'),
    )

    assert read(outer).kind is ReturnKind.OTHER


def test_the_same_mail_has_one_key_however_it_was_fetched() -> None:
    raw = a_dsn("Final-Recipient: rfc822; a@example.org\nAction: failed\nStatus: 5.1.1")
    in_mbox = b"From MAILER-DAEMON Thu Jan  1 00:00:00 2026\nX-UID: 7\n" + raw + b"\n"

    assert read(raw).key == read(raw.replace(b"\n", b"\r\n")).key == read(in_mbox).key
    assert read(raw).key != read(raw.replace(b"a@example.org", b"b@example.org")).key


def test_amazons_notification_as_json_is_read() -> None:
    body = (
        '{"notificationType":"Bounce","bounce":{"bounceType":"Permanent","bouncedRecipients":'
        '[{"emailAddress":"reader@example.org","status":"5.1.1","diagnostic\nCode":"smtp; 550 '
        '5.1.1 user unknown"}]}}\n\n--\nIf you wish to stop receiving notifications\n'
    )
    returned = read(a_mail(body, From="no-reply@sns.example", Subject="Notification"))

    assert the_failure(returned) == ("reader@example.org", "5.1.1", BounceKind.HARD)


def test_a_report_that_lists_the_fields_of_our_mail_says_nothing_against_us() -> None:
    groups = "Final-Recipient: rfc822; reader@example.org\nAction: failed\nStatus: 5.1.10 (null MX)"
    raw = a_dsn(groups).replace(
        b"I'm sorry,", b"This report relates to a message with the following header fields:\n"
    )

    assert the_failure(read(raw)) == ("reader@example.org", "5.1.10", BounceKind.HARD)
