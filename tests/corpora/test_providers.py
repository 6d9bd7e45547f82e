"""Hostile words in the reports of mail providers, each report proved as the provider proves it."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import httpx2 as httpx
import pytest

from digest.services.deliver import deliver
from digest.sources.sns import Sns
from tests.builders import NOON
from tests.commands import SECRETS
from tests.corpora import harm
from tests.corpora.house import House
from tests.corpora.strings import OWN, sendable, strings
from tests.corpora.test_answers import through_lists, told
from tests.moody import options, post_to, queued
from tests.web.building import Browser, a_desk
from tests.web.reported import (
    ADA,
    TOPIC,
    Amazon,
    a_notice,
    p256,
    sendgrid_event,
    sendgrid_headers,
    ses_bounce,
    ses_complaint,
    shown_key,
)

USER, PASSWORD = "postmark", "password"
HOOKS: dict[str, dict[str, object]] = {
    "postmark": {"postmark_username": USER, "postmark_password": PASSWORD},
    "sendgrid": {"sendgrid_public_key": shown_key(p256("sendgrid"))},
    "ses": {"ses_topics": (TOPIC,)},
}
Client = httpx.Client


def to_postmark(client: Client, number: int, one: str) -> Iterator[httpx.Response]:
    event = {
        "RecordType": "Bounce", "ID": number, "Type": "SoftBounce", "TypeCode": 4096,
        "Details": one, "Email": ADA, "BouncedAt": "2026-03-12T11:21:01Z", "Subject": one,
    }  # fmt: skip
    for changes in ({}, {"Email": one}, {"Type": one}, {"BouncedAt": one}, {"RecordType": one}):
        body = json.dumps(event | changes)
        yield client.post("/webhooks/postmark", content=body, auth=(USER, PASSWORD))


def to_sendgrid(client: Client, number: int, one: str) -> Iterator[httpx.Response]:
    """A batch with the string in each field in turn, and as a name."""
    bounced = {"type": "blocked", "status": "4.7.1", "reason": one}
    fields = ("email", "timestamp", "smtp-id", "event", "sg_event_id", "type", "status", "reason")
    batch = [
        sendgrid_event("bounce", number=f"{number}-{at}", **bounced) | {field: one}
        for at, field in enumerate(fields)
    ]
    batch.append(sendgrid_event("bounce", number=f"{number}-name", **bounced) | {one: one})
    body = json.dumps(batch).encode()
    yield client.post("/webhooks/sendgrid", content=body, headers=sendgrid_headers(body))


def to_ses(client: Client, number: int, one: str) -> Iterator[httpx.Response]:
    """Signed reports with the string in each field, and signed messages that are the string."""
    soft, said = ("Transient", "MailboxFull"), {"diagnosticCode": one, "status": one, "action": one}
    key = f"feedback-{number}"
    yield _notice(client, ses_bounce(*soft, feedback=key, **said))
    yield _notice(client, ses_bounce(*soft, feedback=key, email=one, at=one))
    yield _notice(client, ses_bounce(one, one, feedback=one))
    yield _notice(client, ses_complaint(one, complaintFeedbackType=one, feedbackId=f"c{number}"))
    yield _notice(client, sendable(one))
    if one.isprintable():  # of a line end in it the signature would not hold
        yield _notice(client, ses_bounce(*soft, feedback=key), Subject=one)


def _notice(client: Client, said: object, **changes: str) -> httpx.Response:
    return client.post("/webhooks/ses", content=json.dumps(a_notice(said, **changes)))


PROVIDERS: dict[str, Callable[[Client, int, str], Iterator[httpx.Response]]] = {
    "postmark": to_postmark,
    "sendgrid": to_sendgrid,
    "ses": to_ses,
}
each_provider = pytest.mark.parametrize("provider", PROVIDERS)


def by_a_provider(house: House, provider: str, said: Sequence[str]) -> None:
    queued(house.engine, ADA)
    deliver(post_to(house.engine, house.sink, NOON), options())
    keys = {"secret_keys": (SECRETS["DIGEST_SECRET_KEYS"],), "pepper": SECRETS["DIGEST_PEPPER"]}
    folder, clock = house.cli.folder, house.web.clock
    desk = a_desk(house.engine, clock, folder, webhooks=HOOKS[provider], **keys)
    client = Browser(replace(desk, sns=Sns(Amazon()))).client
    taken = 0
    for number, one in enumerate(said):
        for reply in PROVIDERS[provider](client, number, one):
            assert reply.status_code < 500, (one, reply.text)
            taken += reply.status_code < 300
            house.seen.look("HTTP reply", harm.in_text(reply.text))
    assert taken >= len(said)  # what is read goes on to the lists
    through_lists(house)


@each_provider
def test_hostile_words_of_a_provider_stay_words(house: House, provider: str) -> None:
    by_a_provider(house, provider, OWN[::12])


@pytest.mark.slow
@each_provider
def test_more_hostile_words_of_a_provider_stay_words(
    house: House, shared: Path, provider: str
) -> None:
    said = strings(shared, every=4)
    by_a_provider(house, provider, said)
    told(house, f"reports of {provider}", said)
