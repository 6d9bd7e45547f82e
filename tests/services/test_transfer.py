"""Import and export: good rows go in, bad ones are named, nobody is brought back, bytes return."""

import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from digest.domain.deliveries import MailKind, State
from digest.domain.interests import InterestKind
from digest.domain.records import COLUMNS
from digest.domain.schedule import Frequency, Schedule
from digest.domain.subscribers import (
    Channel,
    ConsentEvent,
    EmptyDay,
    Preferences,
    Status,
    SuppressionReason,
)
from digest.errors import InvalidInput
from digest.services import subscribe, transfer
from digest.services.rowfiles import LONGEST_LINE, Format
from digest.services.subscribe import Keys
from digest.store import ledger_read, subscribers
from digest.store.database import open_engine, reading, transaction
from digest.store.tables import metadata
from tests.builders import NOON

KEYS = Keys(pepper="pepper", secret="secret", domain="digest.example")
LATER = NOON + timedelta(days=1)


@pytest.fixture
def sqlite_engine(sqlite_url):
    opened = open_engine(sqlite_url)
    yield opened
    opened.dispose()


def bring(engine, text, file_format=Format.CSV, **changes):
    data = text if isinstance(text, bytes) else text.encode()
    values = {"defaults": Preferences(), "now": NOON, "keys": KEYS}
    return transfer.import_subscribers(engine, io.BytesIO(data), file_format, **values | changes)


def take(engine, file_format=Format.CSV):
    with reading(engine) as session:
        return "".join(transfer.export_subscribers(session, file_format))


def who(engine, email):
    with reading(engine) as session:
        return subscribers.by_email(session, email)


def tally(summary):
    return summary.added, summary.changed, summary.unchanged, summary.rejected


def everything(engine):
    with reading(engine) as session:
        return {
            name: sorted(map(str, session.execute(select(one)).all()))
            for name, one in metadata.tables.items()
        }


def events(engine, email):
    with reading(engine) as session:
        person = subscribers.by_email(session, email)
        return [
            (event, channel) for _, event, channel in subscribers.consent_of(session, person.id)
        ]


def test_every_column_of_a_file_is_taken(engine):
    text = (
        "status,email,interests,exclude,authors,categories,timezone,hour,frequency,max_papers,"
        "weekday,threshold,empty_day,min_matches,text_only\n"
        'active,Ada@EXAMPLE.com,"continual learning^2; a\\;b ;;C++",crypto,'
        "Ada Lovelace,cs.LG;cs.AI,"
        "Asia/Tokyo,7,weekly,5,friday,0.25,skip,3,true\n"
    )
    assert tally(bring(engine, text)) == (1, 0, 0, [])
    ada = who(engine, "ada@example.com")
    assert (ada.email, ada.status) == ("Ada@example.com", Status.ACTIVE)
    assert [(i.kind, i.text, i.weight, i.excluded) for i in ada.interests] == [
        (InterestKind.PHRASE, "continual learning", 2.0, False),
        (InterestKind.PHRASE, "a;b", 1.0, False),
        (InterestKind.PHRASE, "C++", 1.0, False),
        (InterestKind.PHRASE, "crypto", 1.0, True),
        (InterestKind.AUTHOR, "Ada Lovelace", 1.0, False),
        (InterestKind.CATEGORY, "cs.LG", 1.0, False),
        (InterestKind.CATEGORY, "cs.AI", 1.0, False),
    ]
    schedule = Schedule(timezone="Asia/Tokyo", hour=7, frequency=Frequency.WEEKLY, weekday=4)
    assert ada.preferences == Preferences(
        schedule=schedule,
        max_papers=5,
        threshold=0.25,
        empty_day=EmptyDay.SKIP,
        min_matches=3,
        text_only=True,
    )
    # 2026-03-12 is a Thursday; Friday 7:00 in Tokyo is 22:00 UTC the day before
    assert ada.next_digest_at == datetime(2026, 3, 12, 22, tzinfo=UTC)


def test_only_email_is_required_and_what_is_new_is_asked_to_confirm(engine):
    defaults = Preferences(max_papers=3)
    assert bring(engine, "email\nada@example.com\n", defaults=defaults).added == 1
    ada = who(engine, "ada@example.com")
    assert (ada.status, ada.preferences, ada.next_digest_at) == (Status.PENDING, defaults, None)
    with reading(engine) as session:
        (mail,) = ledger_read.list_deliveries(session)
    assert (mail.kind, mail.state, mail.email) == (MailKind.CONFIRM, State.QUEUED, ada.email)
    assert events(engine, ada.email) == [(ConsentEvent.SUBSCRIBED, Channel.IMPORT)]


def test_the_same_file_twice_changes_nothing(engine):
    text = (
        "email,interests,status\nada@example.com,graphs;rl,active\nbob@example.com,,paused\n"
        "cy@example.com,x,unsubscribed\ndi@example.com,x,suppressed\ned@example.com,x,pending\n"
    )
    assert tally(bring(engine, text)) == (5, 0, 0, [])
    before = everything(engine)
    assert tally(bring(engine, text, now=LATER)) == (0, 0, 5, [])
    assert everything(engine) == before


@pytest.mark.parametrize("file_format", list(Format))
def test_export_import_export_gives_the_same_bytes(engine, file_format, tmp_path):
    text = (
        "email,interests,exclude,authors,categories,timezone,hour,status,threshold\n"
        '+ada@example.com,"=cmd|1;a\\;b;C^2^1;""quoted"", you;back\\\\;slash\\",@spam^0.3,'
        "Émile Borel,cs.LG,America/Nuuk,23,active,0.1\n"
        "-bob@example.com,'quoted,,,,,,paused,\n"
        "jürgen@bücher.example,Ü;日本語,,,,,,unsubscribed,1\n"
        "'o@example.com,\"'=x\",,,,,,suppressed,\n"
        "di@example.com,,,,,,,pending,\n"
    )
    assert tally(bring(engine, text)) == (5, 0, 0, [])
    first = take(engine, file_format)
    assert tally(bring(engine, first, file_format)) == (0, 0, 5, [])
    assert take(engine, file_format) == first
    with transaction(engine) as session:  # and into an empty store
        for one in list(subscribers.everyone(session)):
            subscribers.erase_row(session, one.id)
    assert bring(engine, first, file_format).added == 5
    assert take(engine, file_format) == first


@pytest.mark.parametrize("file_format", list(Format))
def test_interests_of_every_kind_go_out_and_come_back(engine, file_format):
    wanted = [r'"exact; \"words\""^2', "a AND -b", "venue:ICML", r"\-dash", "author:X", "-out"]
    unwanted = ["author:Y. LeCun", "cat:cs.*", '"a survey"', "games AND cat:cs.LG", r"\-x"]
    one = {"email": "a@example.com", "status": "active", "interests": wanted}
    one |= {"exclude": unwanted, "authors": ["author:Z", '"Q W"'], "categories": ["cs.LG^3"]}
    assert tally(bring(engine, json.dumps(one), Format.JSONL)) == (1, 0, 0, [])
    found = json.loads(take(engine, Format.JSONL))
    assert found["interests"] == wanted[:4]
    assert found["exclude"] == ["out", *unwanted]
    assert (found["authors"], found["categories"]) == (["X", "Z", "Q W"], ["cs.LG^3"])
    first = take(engine, file_format)
    assert tally(bring(engine, first, file_format)) == (0, 0, 1, [])
    assert tally(bring(engine, json.dumps(one), Format.JSONL)) == (0, 0, 1, [])
    bring(engine, "email,interests,exclude,authors,categories\na@example.com,,,,\n")
    assert who(engine, "a@example.com").interests == ()
    assert bring(engine, first, file_format).changed == 1
    assert take(engine, file_format) == first


def test_an_author_among_the_interests_joins_the_authors_there_are(engine):
    bring(engine, "email,authors\na@example.com,Ada\n")
    rows = "email,interests\na@example.com,author:Bob;rl\n"
    assert bring(engine, rows).changed == 1
    assert [i.text for i in who(engine, "a@example.com").interests] == ["rl", "Bob", "Ada"]
    assert bring(engine, rows).unchanged == 1


def test_cells_that_a_spreadsheet_would_run_are_guarded(engine):
    bring(engine, 'email,interests\n=a@example.com,"@SUM(1);b"\n')
    header, row = take(engine).splitlines()
    assert header == ",".join(COLUMNS)
    assert row.startswith("'=a@example.com,'@SUM(1);b,,")
    assert who(engine, "=a@example.com").interests[0].text == "@SUM(1)"


def test_jsonl_has_real_lists_and_types(engine):
    one = {
        "email": "ada@example.com",
        "interests": ["graphs^2", "a;b"],
        "hour": 5,
        "threshold": None,
        "text_only": True,
        "status": "active",
    }
    assert bring(engine, json.dumps(one) + "\n\n", Format.JSONL).added == 1
    (line,) = take(engine, Format.JSONL).splitlines()
    found = json.loads(line)
    assert list(found) == list(COLUMNS)
    assert {key: found[key] for key in one} == one


def test_bad_rows_are_listed_with_line_and_reason_and_good_ones_go_in(engine):
    rows = [
        ("ada@example.com,graphs,8", None),
        ("nobody,graphs,8", "@-sign"),
        ('"a@b.example, c@d.example",x,8', "not one mail address"),
        ("x" * 320 + "@example.com,x,8", "not one mail address"),
        ("bob@example.com,x,24", "hour 24: give 0 to 23"),
        ("bob@example.com,x,eight", "hour 'eight': give a whole number"),
        ("bob@example.com,x", "2 cells, but the header has 3"),
        ("bob@example.com,x,8,9", "4 cells"),
        ("bob@example.com,graphs^11,8", "weight"),
        ("bob@example.com,graphs^-1,8", "weight"),
        ("bob@example.com,!!!,8", "no letter or digit"),
        ('bob@example.com,"""a AND b",8', "a quote is never closed, at character 1"),
        (
            "bob@example.com,graphs;a AND,8",
            "nothing follows AND; \\AND is the word, at character 3",
        ),
        ("bob@example.com," + ";".join(f"w{n}" for n in range(51)) + ",8", "at most 50"),
        ("bob@example.com,a\0b,8", "NUL"),
        ('bob@example.com,"graphs,8', "quote is not closed"),
        ("ADA@example.com,graphs,8", "stands in line 2 already"),
        ("", None),
        ("jürgen@bücher.example,ok,8", None),
        ("bob@example.com," + "x" * LONGEST_LINE, "longer than"),
        ('"cy@example.com","two\nlines",8', None),
        ("last@example.com,x,8", None),
    ]
    text = "email,interests,hour\n" + "\n".join(row for row, _ in rows)
    summary = bring(engine, text)
    assert summary.added == 4
    expected = [(n + 2, why) for n, (_, why) in enumerate(rows) if why]
    assert [line for line, _ in summary.rejected] == [line for line, _ in expected]
    for (_, said), (_, why) in zip(summary.rejected, expected, strict=True):
        assert why in said and "\n" not in said
    assert who(engine, "cy@example.com").interests[0].text == "two lines"
    assert who(engine, "last@example.com")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("not json", "no JSON object"),
        ("[1]", "no JSON object"),
        ("[" * 100_000, "no JSON object"),
        ('{"email": "a@example.com", "colour": 1}', "unknown column 'colour'"),
        ('{"interests": ["x"]}', "not one mail address"),
        ('{"email": 7}', "email '7': give a string"),
        ('{"email": "a@example.com", "interests": "x;y"}', "interests: give a list of strings"),
        ('{"email": "a@example.com", "hour": true}', "hour 'True'"),
        ('{"email": "a@example.com", "hour": 8.5}', "hour '8.5'"),
        ('{"email": "a@example.com", "threshold": NaN}', "threshold"),
        ('{"email": "a@example.com", "threshold": 1e999}', "threshold"),
        ('{"email": "a@example.com", "text_only": 2}', "text_only"),
        ('{"email": "a@example.com", "timezone": "Mars/Base"}', "Mars/Base"),
        ('{"email": "a@example.com", "weekday": "someday"}', "monday to sunday"),
        ('{"email": "a@example.com", "frequency": "hourly"}', "daily, weekdays, weekly"),
        ('{"email": "a@example.com", "status": "king"}', "pending, active"),
        ('{"email": "a@example.com", "max_papers": 99999999999999999999}', "max_papers"),
        ('{"email": "a\\ud800@example.com"}', "not one mail address"),
    ],
)
def test_a_bad_jsonl_line_is_named_and_the_rest_goes_in(sqlite_engine, line, why):
    summary = bring(sqlite_engine, f'{line}\n{{"email": "ok@example.com"}}\n', Format.JSONL)
    assert summary.added == 1
    ((number, said),) = summary.rejected
    assert number == 1 and why in said


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("email,colour\na@example.com,red\n", "unknown column 'colour'"),
        ("interests\nx\n", "no column 'email'"),
        ("email,hour,email\n", "'email' stands twice"),
        (b"\xff\xfee\0m\0", "UTF-8"),
    ],
)
def test_a_file_without_a_usable_header_is_refused_whole(sqlite_engine, text, why):
    with pytest.raises(InvalidInput, match=why):
        bring(sqlite_engine, text)


def test_a_byte_order_mark_is_passed_over_and_bytes_that_are_no_utf8_are_named(engine):
    text = b"\xef\xbb\xbfemail,interests\r\nada@example.com,\xff\r\nbob@example.com,\xc3\xa9t\r\n"
    summary = bring(engine, text)
    assert tally(summary) == (1, 0, 0, [(2, "not UTF-8: save the file as UTF-8")])
    assert who(engine, "bob@example.com").interests[0].text == "ét"


def test_an_existing_subscriber_gets_the_columns_that_the_file_has(engine):
    bring(engine, "email,interests,authors,hour,status\na@example.com,x,Ada,5,active\n")
    assert tally(bring(engine, "email,interests,hour\nA@Example.com,y;z,\n")) == (0, 1, 0, [])
    found = who(engine, "a@example.com")
    assert [i.text for i in found.interests] == ["y", "z", "Ada"]
    assert (found.preferences.schedule.hour, found.status) == (5, Status.ACTIVE)
    bring(engine, "email,interests\na@example.com,\n")
    assert [i.text for i in who(engine, "a@example.com").interests] == ["Ada"]


def test_active_revives_pending_and_paused_and_dates_the_next_digest(engine):
    bring(engine, "email,status\na@example.com,pending\nb@example.com,paused\n")
    assert bring(engine, "email,status\na@example.com,active\nb@example.com,active\n").changed == 2
    for email, event in (("a", ConsentEvent.CONFIRMED), ("b", ConsentEvent.RESUMED)):
        found = who(engine, f"{email}@example.com")
        assert (found.status, found.next_digest_at) == (Status.ACTIVE, NOON)
        assert events(engine, found.email)[-1] == (event, Channel.IMPORT)
    with reading(engine) as session:
        assert ledger_read.counts(session)[State.CANCELLED] == 1  # the confirmation
    assert bring(engine, "email,status\na@example.com,pending\n").unchanged == 1
    assert who(engine, "a@example.com").status is Status.ACTIVE


@pytest.mark.parametrize("status", ["active", "paused", "pending", ""])
def test_who_opted_out_is_never_brought_back(engine, status):
    bring(engine, "email,status\nu@example.com,unsubscribed\ns@example.com,suppressed\n")
    with transaction(engine) as session:
        values = {"channel": Channel.CLI, "now": NOON, "keys": KEYS}
        subscribe.suppress(session, "x@example.com", SuppressionReason.COMPLAINT, **values)
        gone = subscribe.subscribe(session, "e@example.com", **values)
        subscribe.erase(session, gone.id, now=NOON, keys=KEYS)
    before = everything(engine)
    rows = "".join(f"{name}@example.com,{status}\n" for name in "usxe")
    summary = bring(engine, "email,status\n" + rows)
    assert [why.split(" ", 1)[1] for _, why in summary.rejected] == [
        "has unsubscribed: a file cannot take that back",
        "is suppressed: a file cannot take that back",
        "is suppressed (complaint)",
        "was erased at its owner's wish",
    ]
    assert everything(engine) == before


def test_an_opt_out_in_a_file_is_obeyed(engine):
    bring(engine, "email,status\na@example.com,active\nb@example.com,pending\n")
    rows = "email,status\na@example.com,unsubscribed\nb@example.com,suppressed\n"
    assert bring(engine, rows).changed == 2
    found = who(engine, "a@example.com")
    assert (found.status, found.next_digest_at) == (Status.UNSUBSCRIBED, None)
    with reading(engine) as session:
        assert [one.reason for one in ledger_read.list_deliveries(session)] == ["suppressed"]


def test_a_dry_run_says_the_same_and_changes_nothing(engine):
    bring(engine, "email,status\na@example.com,paused\nb@example.com,active\n")
    before = everything(engine)
    text = "email,status\na@example.com,active\nb@example.com,active\nc@example.com,\nbad,\n"
    planned = bring(engine, text, dry_run=True)
    assert everything(engine) == before
    assert planned == bring(engine, text)
    assert tally(planned)[:3] == (1, 1, 1)


def test_many_rows_go_in_by_chunks(engine):
    count = 2 * transfer.CHUNK + 10
    rows = "".join(f"p{n}@example.com,topic {n % 40};shared,active\n" for n in range(count))
    done = []
    summary = bring(engine, "email,interests,status\n" + rows, each=done.append)
    assert tally(summary) == (count, 0, 0, [])
    assert done == [transfer.CHUNK, transfer.CHUNK, 10]
    with reading(engine) as session:
        distinct = select(func.count()).select_from(metadata.tables["interests"])
        assert session.execute(distinct).scalar_one() == 41
        assert subscribers.status_counts(session)[Status.ACTIVE] == count
