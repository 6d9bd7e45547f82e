"""`digest doctor`: exit codes, eighty columns, JSON, and no secret anywhere."""

import pytest
from rich.cells import cell_len

from digest.domain.checkup import Area
from digest.mail.sink import Sink
from tests.commands import SECRETS, Desk

OFFLINE = ("doctor", "--offline")


@pytest.fixture
def healthy(desk: Desk, sink: Sink, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A service on which nothing fails that can be seen offline."""
    desk.write("config.toml", '[[sources]]\nname = "kept"\nkind = "jsonl"\npath = "papers.jsonl"\n')
    desk.write("papers.jsonl", '{"id": "1", "title": "Sparse", "url": "https://a.example/1"}\n')
    return desk


def test_a_healthy_service_ends_well_and_tells_what_is_not_known(healthy: Desk) -> None:
    ended = healthy.ok(*OFFLINE)
    assert "ok      smtp     connect:" in ended.out
    assert "ok      store    schema:" in ended.out
    assert "ok      sources  kept: 1 papers" in ended.out
    assert "unknown spf      record: not asked: --offline" in ended.out
    assert "fail " not in ended.out
    assert " ok, " in ended.err


def test_a_fault_ends_with_one(healthy: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGEST_DKIM__KEY_FILE", "missing.pem")
    ended = healthy.run(*OFFLINE)
    assert ended.code == 1
    assert "make it with 'digest dkim keygen'" in " ".join(ended.out.split())


def test_every_line_fits_eighty_columns(healthy: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGEST_DKIM__KEY_FILE", "鍵" * 70 + ".pem")
    monkeypatch.setenv("DIGEST_WEBHOOKS__SES_TOPICS", '["' + "x" * 300 + '"]')
    lines = healthy.run(*OFFLINE).lines
    assert max(map(cell_len, lines)) <= 80
    assert {line.split(" ")[0] for line in lines} == {"", "ok", "warn", "fail", "unknown"}


def test_json_is_one_array_in_the_order_of_the_areas(healthy: Desk) -> None:
    ended = healthy.ok(*OFFLINE, "--json")
    keys = {tuple(one) for one in ended.json}
    assert keys == {("area", "name", "level", "text", "mend")}
    told = list(dict.fromkeys(one["area"] for one in ended.json))
    assert told == [area.value for area in Area]
    assert all(bool(one["mend"]) for one in ended.json if one["level"] in ("warn", "fail"))
    assert ended.err == ""


def test_areas_can_be_chosen_and_a_wrong_one_names_them_all(healthy: Desk) -> None:
    ended = healthy.ok(*OFFLINE, "--json", "--area", "store", "--area", "config")
    assert {one["area"] for one in ended.json} == {"store", "config"}
    ended = healthy.run("doctor", "--area", "moon")
    assert ended.code == 2
    assert "--area moon: give one of config, store, disk" in ended.err


def test_a_config_that_does_not_load_is_a_fault_and_the_rest_unknown(bare_desk: Desk) -> None:
    bare_desk.write("config.toml", "[smtp]\nhots = 1\n")
    ended = bare_desk.run("doctor", "--json")
    assert ended.code == 1
    first, *others = ended.json
    assert (first["level"], "smtp.hots is no setting" in first["text"]) == ("fail", True)
    assert {one["level"] for one in others} == {"unknown"}
    assert len(others) == len(Area) - 1


def test_no_secret_is_printed_and_no_trace_is_left(
    healthy: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = {"DIGEST_SMTP__PASSWORD": "hunter22", "DIGEST_WEBHOOKS__POSTMARK_PASSWORD": "pw-pm"}
    monkeypatch.setenv("DIGEST_SMTP__USERNAME", "me")
    monkeypatch.setenv("DIGEST_WEBHOOKS__POSTMARK_USERNAME", "pm")
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    before = {path.name for path in healthy.folder.iterdir()}
    ended = healthy.run(*OFFLINE)
    for value in (*secrets.values(), *SECRETS.values()):
        assert value not in ended.out + ended.err
    left = {path.name for path in healthy.folder.iterdir()} - before
    assert {name.rpartition("-")[2] for name in left} <= {"wal", "shm"}  # SQLite's own


def test_before_init_it_says_what_to_run_and_makes_nothing(bare_desk: Desk) -> None:
    ended = bare_desk.run(*OFFLINE, "--area", "store", "--area", "config")
    assert ended.code == 1
    assert ended.out.count("run 'digest init'") == 4
    assert [path.name for path in bare_desk.folder.iterdir()] == []
