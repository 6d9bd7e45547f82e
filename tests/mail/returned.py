"""Mails as relays, feedback loops and readers send them back, to fill in."""

NUMBERS = {"hard": "5.1.1", "soft": "4.2.2", "policy": "5.7.1"}
SAID = {
    "hard": "550 5.1.1 no such user here",
    "soft": "452 4.2.2 mailbox full",
    "policy": "550 5.7.1 message rejected due to the sender's reputation",
}


def a_dsn(
    sender: str,
    recipient: str = "ada@example.com",
    kind: str = "hard",
    *,
    message_id: str = "<x@papers.example>",
    date: str = "Thu, 12 Mar 2026 14:00:00 +0000",
    number: int = 1,
) -> bytes:
    """A delivery status notification (RFC 3464) to the envelope sender."""
    lines = [
        f"Date: {date}",
        "From: MAILER-DAEMON@mx.example.com (Mail Delivery System)",
        "Subject: Undelivered Mail Returned to Sender",
        f"To: {sender}",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        'Content-Type: multipart/report; report-type=delivery-status; boundary="B"',
        f"Message-Id: <dsn{number}.{kind}@mx.example.com>",
        "",
        "--B",
        "Content-Type: text/plain; charset=us-ascii",
        "",
        f"<{recipient}>: host mx.example.com said: {SAID[kind]}",
        "",
        "--B",
        "Content-Type: message/delivery-status",
        "",
        "Reporting-MTA: dns; mx.example.com",
        "",
        f"Final-Recipient: rfc822; {recipient}",
        "Action: failed",
        f"Status: {NUMBERS[kind]}",
        f"Diagnostic-Code: smtp; {SAID[kind]}",
        "",
        "--B",
        "Content-Type: text/rfc822-headers",
        "",
        f"Message-ID: {message_id}",
        "Subject: Trending papers",
        f"To: {recipient}",
        "",
        "--B--",
        "",
    ]
    return "\r\n".join(lines).encode()


def a_complaint(message_id: str, sender: str = "bounces@papers.example") -> bytes:
    """A report of a feedback loop (RFC 5965)."""
    lines = [
        "Date: Thu, 12 Mar 2026 15:00:00 +0000",
        "From: <abuse@example.com>",
        "Subject: FW: Trending papers",
        f"To: {sender}",
        "MIME-Version: 1.0",
        'Content-Type: multipart/report; report-type=feedback-report; boundary="B"',
        "Message-Id: <arf@example.com>",
        "",
        "--B",
        "Content-Type: text/plain",
        "",
        "This is an abuse report.",
        "",
        "--B",
        "Content-Type: message/feedback-report",
        "",
        "Feedback-Type: abuse",
        "User-Agent: Loop/1.0",
        "Version: 1",
        "",
        "--B",
        "Content-Type: message/rfc822",
        "",
        f"Message-ID: {message_id}",
        "Subject: Trending papers",
        "From: digest@papers.example",
        "To: <redacted>",
        "",
        "papers",
        "--B--",
        "",
    ]
    return "\r\n".join(lines).encode()


def an_opt_out(token: str) -> bytes:
    """What a mail program sends for the mailto way to leave."""
    return (
        "Date: Thu, 12 Mar 2026 15:00:00 +0000\r\nFrom: Ada <ada@example.com>\r\n"
        f"To: digest@papers.example\r\nSubject: unsubscribe {token}\r\n"
        "Message-ID: <u@example.com>\r\n\r\n\r\n"
    ).encode()


def a_vacation_note(sender: str) -> bytes:
    """What an absent reader's mail server answers."""
    return (
        "Date: Thu, 12 Mar 2026 15:00:00 +0000\r\nFrom: ada@example.com\r\n"
        f"To: {sender}\r\nSubject: Out of office\r\nAuto-Submitted: auto-replied\r\n"
        "Message-ID: <v@example.com>\r\n\r\nI am away until Monday.\r\n"
    ).encode()
