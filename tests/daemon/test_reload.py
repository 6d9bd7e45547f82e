"""SIGHUP: right settings come into force, wrong ones are told of and change nothing."""

from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from digest.app import App
from digest.daemon.reload import reread
from digest.settings import load
from tests.commands import Desk


@pytest.fixture
def app(desk: Desk) -> App:
    desk.write("config.toml", '[smtp]\nhost = "one.example"\n')
    return App(load(), lambda: datetime.now(UTC))


def test_changed_settings_are_named_without_their_values_and_in_force(app: App, desk: Desk) -> None:
    smtp = '[smtp]\nhost = "two.example"\npassword = "hush"\nusername = "me"\n'
    desk.write("config.toml", f"{smtp}[limits]\nper_hour = 9\n")
    with capture_logs() as logs:
        fresh = reread(app)
    assert (fresh.settings.smtp.host, fresh.settings.limits.per_hour) == ("two.example", 9)
    (told,) = [entry["changed"] for entry in logs if "changed" in entry]
    assert told == ["smtp.host", "smtp.username", "smtp.password", "limits.per_hour"]
    assert "hush" not in str(logs)
    assert fresh.engine is app.engine


@pytest.mark.parametrize(
    "wrong",
    [
        "[smtp\n",
        '[smtp]\nhots = "x"\n',
        '[dkim]\nselector = "s"\nkey_file = "gone.pem"\n',
        "[limits.domains]\n'not a domain' = { per_hour = 1 }\n",
        '[theme]\naccent = "reddish"\n',
    ],
)
def test_wrong_settings_leave_the_old_ones_in_force_and_say_why(
    wrong: str, app: App, desk: Desk
) -> None:
    desk.write("config.toml", wrong)
    with capture_logs() as logs:
        assert reread(app) is app
    (entry,) = logs
    assert entry["log_level"] == "error"
    assert entry["error"]


def test_a_template_that_is_broken_now_is_not_taken_over(app: App, desk: Desk) -> None:
    folder = desk.folder / "own" / "mail" / "digest"
    folder.mkdir(parents=True)
    (folder / "subject.txt").write_text("{% broken")
    desk.write("config.toml", '[templates]\nfolder = "own"\n')
    with capture_logs() as logs:
        assert reread(app) is app
    assert "subject.txt" in logs[0]["error"]


def test_a_store_or_port_that_changed_is_named_as_needing_a_restart(
    app: App, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = app.engine
    monkeypatch.delenv("DIGEST_WEB__PORT")
    desk.write("config.toml", '[store]\nurl = "sqlite:///other.sqlite3"\n[web]\nport = 8099\n')
    with capture_logs() as logs:
        fresh = reread(app)
    (warning,) = [entry for entry in logs if entry["log_level"] == "warning"]
    assert warning["settings"] == ["store.url", "web.port"]
    assert fresh.engine is before
    assert not (desk.folder / "other.sqlite3").exists()


def test_what_the_ranker_learnt_is_kept_unless_the_ranking_changed(app: App, desk: Desk) -> None:
    learnt = app.composer
    desk.write("config.toml", "[limits]\nper_hour = 9\n")
    fresh = reread(app)
    assert fresh.composer is learnt
    desk.write("config.toml", "[ranking]\nlookback_days = 3\n")
    assert reread(fresh).composer is not learnt
