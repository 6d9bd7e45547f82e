"""Subscribers whose mail went out, and what providers say of it, shaped as their docs shape it."""

import base64
import json
from datetime import date, datetime, timedelta
from functools import lru_cache
from types import ModuleType

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from digest.domain.deliveries import Sent
from digest.domain.digests import Digest, Pick, Reason, Where
from digest.domain.papers import PaperId
from digest.domain.subscribers import Channel, Status
from digest.services import subscribe
from digest.store import bounces, ledger, ledger_read, outbox, subscribers
from digest.store.database import reading, transaction
from digest.store.turns import Sender, advance
from digest.web import webhooks
from digest.web.desk import Desk
from tests.builders import NOON, some_interests
from tests.web.building import Browser

ADA = "ada@lab.example"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def browser_of(desk: Desk, part: ModuleType = webhooks) -> Browser:
    return Browser(desk, part)


def join(desk: Desk, email: str = ADA, now: datetime = NOON - 5 * DAY):
    """An active subscriber."""
    with transaction(desk.engine) as session:
        return subscribe.subscribe(
            session,
            email,
            interests=some_interests("graphs"),
            confirmed=True,
            channel=Channel.CLI,
            now=now,
            keys=desk.keys,
        )


def mailed(desk: Desk, email: str = ADA, now: datetime = NOON - HOUR):
    """A digest that went out to a new subscriber; its delivery."""
    person = join(desk, email)
    reason = Reason(where=Where.TITLE, interest="graphs", words=("graphs",))
    pick = Pick(paper_id=PaperId(1), score=1, relevance=1, trend=1, reason=reason)
    name = f"<digest.{person.id}.20260312@digest.example>"
    picks = Digest(digest_on=date(2026, 3, 12), picks=(pick,))
    with transaction(desk.engine) as session:
        outbox.enqueue_digest(session, person.id, picks, edition_id=None, message_id=name, now=now)
        (row,) = ledger.claim(session, "me", now, timedelta(seconds=30), 1, only=[person.id])
        sender = Sender(owner="me", pepper=desk.keys.pepper, now=now, wall=now)
        advance(session, sender, [], [row.id])
        ledger.record(session, row.id, "me", Sent(code=250, reply="OK"), now)
        return ledger_read.delivery(session, row.id)


def status_of(desk: Desk, email: str = ADA) -> Status:
    with reading(desk.engine) as session:
        return subscribers.by_email(session, email).status


def came_back(desk: Desk) -> list[tuple[str, str]]:
    """Kind and consequence of everything that was kept, the oldest row first."""
    with reading(desk.engine) as session:
        kept = sorted(bounces.listed(session, limit=0), key=lambda one: one.id)
        return [(one.kind.value, one.acted) for one in kept]


# Amazon SNS

TOPIC = "arn:aws:sns:us-east-1:123456789012:ses-reports"
CERTIFICATE = (
    "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123.pem"
)


@lru_cache
def rsa_key(name: str, bits: int) -> rsa.RSAPrivateKey:
    """A key of its own for each name."""
    return rsa.generate_private_key(65537, bits)


@lru_cache
def certificate(
    name: str = "sns",
    bits: int = 2048,
    since: datetime = NOON - 100 * DAY,
    until: datetime = NOON + 100 * DAY,
) -> bytes:
    """A certificate in PEM, signed by its own key."""
    key = rsa_key(name, bits)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(since)
        .not_valid_after(until)
    )
    return made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


class Amazon:
    """What stands at SNS's addresses; `asked` are those that were asked for."""

    def __init__(self, **pages: bytes) -> None:
        self.pages = {CERTIFICATE: certificate()}
        self.asked: list[str] = []

    def __call__(self, url: str) -> bytes:
        self.asked.append(url)
        return self.pages[url]


def canonical(message: dict[str, str]) -> bytes:
    """The text to sign, as the developer guide spells it out."""
    if message["Type"] == "Notification":
        names = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
    else:
        names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    return "".join(f"{name}\n{message[name]}\n" for name in names if name in message).encode()


def signed(message: dict[str, str], key: str = "sns") -> dict[str, str]:
    """The message with its signature by the version it names."""
    hashed = {"1": hashes.SHA1(), "2": hashes.SHA256()}[message["SignatureVersion"]]
    signature = rsa_key(key, 2048).sign(canonical(message), PKCS1v15(), hashed)
    return message | {"Signature": base64.b64encode(signature).decode()}


def a_notice(said: object, version: str = "1", at: datetime = NOON, **changes: str):
    """A Notification of SNS, signed after the changes."""
    text = said if isinstance(said, str) else json.dumps(said)
    message = {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Subject": "Amazon SES Email Event Notification",
        "Message": text,
        "Timestamp": f"{at:%Y-%m-%dT%H:%M:%S}.123Z",
        "SignatureVersion": version,
        "SigningCertURL": CERTIFICATE,
        "UnsubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe",
    }
    return signed(message | changes)


def an_invitation(kind: str = "SubscriptionConfirmation", **changes: str):
    """A SubscriptionConfirmation of SNS, signed after the changes."""
    token = "2336412f37fb687f5d51e6e241d09c805a5a57b30d712f794cc5f6a988666d92"
    message = {
        "Type": kind,
        "MessageId": "165545c9-2a5c-472c-8df2-7ff2be2b3b1b",
        "Token": token,
        "TopicArn": TOPIC,
        "Message": "You have chosen to subscribe to the topic.\nTo confirm, visit the URL.",
        "SubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription"
        f"&TopicArn={TOPIC}&Token={token}",
        "Timestamp": f"{NOON:%Y-%m-%dT%H:%M:%S}.123Z",
        "SignatureVersion": "1",
        "SigningCertURL": CERTIFICATE,
    }
    return signed(message | changes)


def ses_mail(delivery=None, email: str = ADA, source: str = "papers@digest.example"):
    """The `mail` object; with the original headers where a delivery is given."""
    mail = {
        "timestamp": "2026-03-12T11:00:00.000Z",
        "source": source,
        "sourceArn": "arn:aws:ses:us-east-1:123456789012:identity/digest.example",
        "sendingAccountId": "123456789012",
        "messageId": "EXAMPLE7c191be45-e9aedb9a-02f9-4d12-a87d-dd0099a07f8a-000000",
        "destination": [email],
    }
    if delivery:
        mail["headersTruncated"] = False
        mail["headers"] = [
            {"name": "From", "value": "papers@digest.example"},
            {"name": "Message-ID", "value": delivery.message_id},
        ]
        mail["commonHeaders"] = {"messageId": delivery.message_id, "to": [email]}
    return mail


def ses_bounce(
    kind: str = "Permanent",
    subtype: str = "General",
    *,
    mail=None,
    email: str = ADA,
    feedback: str = "01000157c44f053b-61b59c11-9236-11e6-8f96-7be8aexample-000000",
    at: str = "2026-03-12T11:00:02.669Z",
    **said: str,
):
    recipient = {"emailAddress": email} | said
    return {
        "eventType": "Bounce",
        "bounce": {
            "bounceType": kind,
            "bounceSubType": subtype,
            "bouncedRecipients": [recipient],
            "timestamp": at,
            "feedbackId": feedback,
            "reportingMTA": "dsn; mta.example.com",
        },
        "mail": mail or ses_mail(email=email),
    }


GONE = {
    "action": "failed",
    "status": "5.1.1",
    "diagnosticCode": "smtp; 550 5.1.1 user unknown",
}


def ses_complaint(email: str = ADA, mail=None, **changes):
    complaint = {
        "complainedRecipients": [{"emailAddress": email}],
        "timestamp": "2026-03-12T11:30:00.000Z",
        "feedbackId": "01000157c44f053b-61b59c11-9236-11e6-8f96-7be8aexample-000001",
        "complaintFeedbackType": "abuse",
    }
    mail = mail or ses_mail(email=email)
    return {"notificationType": "Complaint", "complaint": complaint | changes, "mail": mail}


# SendGrid


@lru_cache
def p256(name: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def shown_key(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    """A public key as SendGrid's settings show it."""
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def sendgrid_headers(body: bytes, at: datetime = NOON, key: str = "sendgrid") -> dict[str, str]:
    timestamp = str(int(at.timestamp()))
    signature = p256(key).sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    return {
        "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
        "X-Twilio-Email-Event-Webhook-Timestamp": timestamp,
        "Content-Type": "application/json",
    }


def sendgrid_event(name: str, email: str = ADA, number: object = 1, **changes):
    at = int((NOON - HOUR).timestamp()) + 60
    event = {
        "email": email,
        "timestamp": at,
        "smtp-id": "<14c5d75ce93.dfd.64b469@ismtpd-555>",
        "event": name,
        "category": ["cat facts"],
        "sg_event_id": f"6g4ZI7SA-xmRDv57GoPIPw-{number}",
        "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0",
    }
    return event | changes
