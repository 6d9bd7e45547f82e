"""Suppressions as the operator keeps them, and as files."""

import io
from datetime import timedelta

import pytest

from digest.domain.deliveries import MailKind, State
from digest.domain.subscribers import Channel, Status, SuppressionReason
from digest.errors import InvalidInput, NotFound, Refused
from digest.services import subscribe as desk
from digest.services import suppress
from digest.services.subscribe import Keys
from digest.store import ledger_read, subscribers, suppressions
from digest.store.database import reading, transaction
from tests.builders import NOON

KEYS = Keys(pepper="p" * 32, secret="s" * 32, domain="papers.example")
LATER = NOON + timedelta(hours=1)
BOUNCE, COMPLAINT = SuppressionReason.BOUNCE, SuppressionReason.COMPLAINT
REQUEST, ERASED = SuppressionReason.REQUEST, SuppressionReason.ERASED


def join(engine, email="ada@example.com", channel=Channel.CLI, confirmed=True):
    with transaction(engine) as session:
        return desk.subscribe(
            session, email, confirmed=confirmed, channel=channel, now=NOON, keys=KEYS
        )


def add(engine, email, reason=BOUNCE, **changes):
    return suppress.add(engine, email, reason, now=NOON, keys=KEYS, **changes)


def lift(engine, email="ada@example.com", *, force=False, **changes):
    return suppress.lift(engine, email, force=force, now=LATER, keys=KEYS, **changes)


def take(engine, text, **changes):
    raw = text.encode() if isinstance(text, str) else text
    return suppress.import_suppressions(engine, io.BytesIO(raw), now=NOON, keys=KEYS, **changes)


def status(engine, email="ada@example.com"):
    with reading(engine) as session:
        return subscribers.by_email(session, email).status


def counted(done):
    return done.added, done.changed, done.unchanged, len(done.rejected)


def exported(engine):
    return "".join(suppress.export(engine))


def test_adding_cancels_what_waits_and_a_dry_run_does_not(engine):
    join(engine, confirmed=False)
    assert add(engine, "Ada@Example.com", dry_run=True)
    assert (status(engine), suppress.listed(engine)) == (Status.PENDING, [])
    assert add(engine, "Ada@Example.com")
    assert not add(engine, "ada@example.com")
    assert status(engine) is Status.SUPPRESSED
    with reading(engine) as session:
        (mail,) = ledger_read.list_deliveries(session)
    assert (mail.kind, mail.state) == (MailKind.CONFIRM, State.CANCELLED)
    with pytest.raises(InvalidInput):
        add(engine, "no address")


def test_listing_knows_reasons(engine):
    add(engine, "a@example.com", BOUNCE)
    add(engine, "b@example.com", COMPLAINT)
    assert [one.email for one in suppress.listed(engine, reasons=[COMPLAINT])] == ["b@example.com"]
    assert [one.email for one in suppress.listed(engine, limit=1)] == ["b@example.com"]


def test_lifting_leaves_it_to_the_person_to_sign_up_again(engine):
    join(engine)
    add(engine, "ada@example.com")
    lifted = lift(engine, dry_run=True)
    assert (lifted.reason, lifted.subscriber, status(engine)) == (BOUNCE, True, Status.SUPPRESSED)
    lift(engine)
    assert status(engine) is Status.UNSUBSCRIBED
    assert suppress.listed(engine) == []
    with pytest.raises(Refused):
        join(engine)
    join(engine, channel=Channel.FORM, confirmed=False)
    assert status(engine) is Status.PENDING
    with pytest.raises(NotFound, match="is not suppressed"):
        lift(engine)


@pytest.mark.parametrize("reason", [COMPLAINT, ERASED])
def test_a_persons_own_wish_is_lifted_only_by_force(engine, reason):
    with transaction(engine) as session:
        digest = KEYS.hash_of("ada@example.com")
        suppressions.add(session, digest, reason, NOON, email=None)
    with pytest.raises(Refused, match="--force"):
        lift(engine)
    assert lift(engine, force=True).reason is reason
    assert suppress.listed(engine) == []


def test_lifting_mends_a_subscriber_who_is_suppressed_without_a_row(engine):
    ada = join(engine)
    with transaction(engine) as session:
        subscribers.set_status(session, ada.id, Status.SUPPRESSED, next_digest_at=None, now=NOON)
    assert lift(engine).reason is None
    assert status(engine) is Status.UNSUBSCRIBED


def test_export_import_export_gives_the_same_bytes_erased_ones_too(engine, bare_engine):
    from digest.store import schema

    join(engine, "gone@example.com")
    with transaction(engine) as session:
        gone = subscribers.by_email(session, "gone@example.com")
        desk.erase(session, gone.id, now=NOON + timedelta(microseconds=7), keys=KEYS)
    for email, reason in (
        ("ada@example.com", BOUNCE),
        ("=cmd|x@example.com", COMPLAINT),
        ("grüße@bücher.example", REQUEST),
    ):
        add(engine, email, reason)
    first = exported(engine)
    assert "gone@example.com" not in first
    assert "\n'=cmd|x@example.com,complaint," in first
    assert KEYS.hash_of("gone@example.com") in first
    assert counted(take(engine, first)) == (0, 0, 4, 0)
    schema.upgrade(bare_engine)
    assert counted(take(bare_engine, first)) == (4, 0, 0, 0)
    assert exported(bare_engine) == first
    with pytest.raises(Refused, match="erased"):
        join(bare_engine, "gone@example.com")


def test_a_list_of_another_program_needs_only_addresses(engine):
    join(engine)
    done = take(engine, "email\nAda@example.com\nbob@example.com\nada@EXAMPLE.com\n")
    assert counted(done) == (2, 0, 1, 0)
    assert status(engine) is Status.SUPPRESSED
    assert {(one.email, one.reason) for one in suppress.listed(engine)} == {
        ("Ada@example.com", REQUEST),
        ("bob@example.com", REQUEST),
    }


def test_a_dry_run_imports_nothing(engine):
    join(engine)
    assert counted(take(engine, "email\nada@example.com\n", dry_run=True)) == (1, 0, 0, 0)
    assert (status(engine), suppress.listed(engine)) == (Status.ACTIVE, [])


def test_a_complaint_in_a_file_outweighs_and_keeps_the_address(engine):
    add(engine, "ada@example.com")
    digest = KEYS.hash_of("ada@example.com")
    assert counted(take(engine, f"address_hash,reason\n{digest.upper()},complaint\n")) == (
        *(0, 1, 0, 0),
    )
    (found,) = suppress.listed(engine)
    assert (found.email, found.reason) == ("ada@example.com", COMPLAINT)


def test_each_bad_row_is_named_and_the_rest_is_taken(engine):
    rows = [
        "reason,email,created_at,address_hash",
        "bounce,good@example.com,2026-01-02T03:04:05Z,",
        "bounce,not an address,,",
        "whim,a@example.com,,",
        "bounce,b@example.com,yesterday,",
        "bounce,,,abc",
        "bounce,,,",
        "erased,c@example.com,,",
        "bounce,d@example.com",
        'bounce,"never closed,,',
        "bounce,e@example.com,0001-01-01T00:00:00+09:00,",
        "COMPLAINT, also@example.com ,,",
    ]
    done = take(engine, "\n".join(rows) + "\n")
    assert [line for line, _ in done.rejected] == list(range(3, 12))
    assert {one.email for one in suppress.listed(engine)} == {
        "good@example.com",
        "also@example.com",
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("\n \n", "empty"),
        ("email,colour\n", "unknown column 'colour'"),
        ("email,email\n", "stands twice"),
        ("reason\n", "neither a column 'email'"),
        (b"\xff\xfe\n", "UTF-8"),
    ],
)
def test_a_file_without_a_usable_header_is_refused(engine, text, said):
    with pytest.raises(InvalidInput, match=said):
        take(engine, text)


def test_a_large_file_is_taken_in_chunks(engine, monkeypatch):
    monkeypatch.setattr(suppress, "CHUNK", 10)
    text = "email\n" + "".join(f"a{n}@example.com\n" for n in range(35))
    seen: list[int] = []
    assert counted(take(engine, text, each=seen.append)) == (35, 0, 0, 0)
    assert seen == [10, 10, 10, 5]
    monkeypatch.setattr(suppressions, "CHUNK", 8)
    assert exported(engine).count("\n") == 36
