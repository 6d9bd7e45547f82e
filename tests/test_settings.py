"""Settings: the example file and the code agree, and what is wrong is named with its mend."""

import os
import tomllib
from pathlib import Path
from typing import Any

import pytest

from digest.errors import ConfigError
from digest.resources import example_config
from digest.settings import Settings, all_keys, load, variable, with_secrets
from digest.store.database import open_engine, reading


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("DIGEST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.chdir(tmp_path)


def _write(text: str, name: str = "config.toml", mode: int = 0o600) -> Path:
    path = Path(name)
    path.write_text(text)
    path.chmod(mode)
    return path


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and value:
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value


def test_example_file_and_code_hold_the_same_keys_and_defaults() -> None:
    in_file = _flat(tomllib.loads(example_config().read_text()))
    in_code = {key: _plain(default) for key, default in all_keys()}
    assert in_file == in_code


def test_example_file_names_each_key_with_comment_and_variable() -> None:
    lines = example_config().read_text().splitlines()
    comments = [line for line in lines if line.startswith("#")]
    for key, _ in all_keys():
        assert any(variable(key) in line for line in comments), key
    first_source = lines.index("[[sources]]")
    for line, above in zip(lines[1:first_source], lines, strict=False):
        if " = " in line and not line.startswith("#"):
            assert above.startswith("# DIGEST_"), f"{line!r} has no comment above it"


def test_defaults_alone_are_valid() -> None:
    assert load().settings == Settings()


def test_environment_wins_over_secrets_file_wins_over_toml(monkeypatch: pytest.MonkeyPatch) -> None:
    _write('[smtp]\npassword = "toml"\nhost = "toml"\nusername = "toml"\n')
    _write('[smtp]\npassword = "secret"\nhost = "secret"\n', "secrets.toml")
    monkeypatch.setenv("DIGEST_SMTP__HOST", "environment")
    smtp = load().settings.smtp
    assert (smtp.host, smtp.password, smtp.username) == ("environment", "secret", "toml")


def test_config_is_found_here_then_by_variable_then_in_xdg(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("xdg/digest").mkdir(parents=True)
    _write('[smtp]\nhost = "xdg"\n', "xdg/digest/config.toml")
    assert load().settings.smtp.host == "xdg"
    monkeypatch.setenv("DIGEST_CONFIG", str(_write('[smtp]\nhost = "variable"\n', "other.toml")))
    assert load().settings.smtp.host == "variable"
    _write('[smtp]\nhost = "here"\n')
    assert load().settings.smtp.host == "here"
    assert load(Path("other.toml")).settings.smtp.host == "variable"


def test_relative_store_path_starts_at_the_config_file(tmp_path: Path) -> None:
    Path("deep").mkdir()
    _write('[store]\nurl = "sqlite:///papers.db"\n', "deep/config.toml")
    assert load(Path("deep/config.toml")).store_url == f"sqlite:///{tmp_path}/deep/papers.db"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[smtp]\nhots = "x"', "smtp.hots is no setting"),
        ('[smpt]\nhost = "x"', "smpt is no setting"),
        ("[smtp]\nport = 99999", "smtp.port"),
        ('[smtp]\nsecurity = "ssl"', "smtp.security: input should be 'none', 'starttls' or 'tls'"),
        ('[smtp]\nhost = "mx.example.org"\nusername = "u"\nsecurity = "none"', "password in clear"),
        (
            '[defaults]\ntimezone = "Mars/Base"',
            "defaults.timezone: time zone 'Mars/Base' is unknown",
        ),
        ('[site]\nurl = "ftp://x"', "site.url: 'ftp://x' is no web address"),
        ('[smtp]\nca_file = "gone.pem"', "smtp.ca_file 'gone.pem' is no file"),
        ('[templates]\nfolder = "gone"', "templates.folder 'gone' is no folder"),
        (f'[templates]\nfolder = "{"a" * 300}"', "is no folder"),
        (f'secrets_file = "{"a" * 300}"\n[smtp]\nhots = "x"', "smtp.hots is no setting"),
        ('"a\\nb" = 1', r"'a\nb' is no setting"),
        ("[store]\nurl = ", "is not valid TOML"),
        ('secret_keys = ["short"]', "secret_keys: holds a key of fewer than 16 characters"),
        ('[sender]\naddress = "a@b.example, c@d.example"', "sender.address"),
        ('[sender]\nname = "a\\r\\nBcc: x@y.example"', "sender.name: holds a control character"),
        ('[dkim]\nkey_file = "a\\u0000b"', "dkim.key_file: holds a control character"),
        ('[smtp]\nhost = "a\\r\\nQUIT"', "smtp.host: holds a control character"),
        (
            '[smtp]\nlocal_hostname = "büro.example"',
            "smtp.local_hostname: 'büro.example' is no",
        ),
        ('[sender]\naddress = "jörg@b.example"', "sender.address: 'jörg@b.example' has letters"),
        ('[sender]\nreply_to = "jörg@b.example"', "sender.reply_to: 'jörg@b.example' has letters"),
        ('[bounces]\naddress = "jörg@b.example"', "bounces.address: 'jörg@b.example' has letters"),
        ('[[sources]]\nname = "a"\nkind = "feed"', "needs a url or a path"),
        ('[[sources]]\nname = "a"\nkind = "fed"\nurl = "https://x.example"', "sources.0.kind"),
        ('[[sources]]\nname = "../a"\nkind = "page"\npath = "x"', "sources.0.name"),
        (
            '[[sources]]\nname = "a"\nkind = "biorxiv"\n[[sources]]\nname = "a"\nkind = "biorxiv"',
            "name 'a' stands twice",
        ),
    ],
)
def test_bad_file_is_one_line_that_names_the_key(text: str, expected: str) -> None:
    path = _write(text)
    with pytest.raises(ConfigError) as caught:
        load()
    assert expected in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_misspelt_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGEST_SMTP__HOTS", "x")
    with pytest.raises(ConfigError, match="DIGEST_SMTP__HOTS is no setting"):
        load()


def test_bad_variable_is_named_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGEST_SMTP__PORT", "99999")
    with pytest.raises(ConfigError, match=r"^environment: DIGEST_SMTP__PORT"):
        load()


def test_rates_of_domains_in_a_variable_join_those_of_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _write('[limits.domains."gmail.com"]\nper_hour = 100\n')
    monkeypatch.setenv("DIGEST_LIMITS__DOMAINS", '{"gmail.com": {"per_second": 2}, "*": {}}')
    domains = load().settings.limits.domains
    assert (domains["gmail.com"].per_second, domains["gmail.com"].per_hour) == (2, 100)
    assert list(domains) == ["gmail.com", "*"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("[1", "environment: DIGEST_LIMITS__DOMAINS: write it as JSON"),
        ('{"a.example": {"x": 1}}', "environment: DIGEST_LIMITS__DOMAINS, or config.toml: "),
    ],
)
def test_bad_json_in_a_variable_is_named_as_such(
    monkeypatch: pytest.MonkeyPatch, value: str, said: str
) -> None:
    _write("[limits]\nper_hour = 5\n")
    monkeypatch.setenv("DIGEST_LIMITS__DOMAINS", value)
    with pytest.raises(ConfigError, match=f"^{said}"):
        load()


def test_a_section_given_as_a_mere_word_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGEST_SMTP", '"hush-hush"')
    with pytest.raises(ConfigError, match=r"^environment: DIGEST_SMTP: ") as caught:
        load()
    assert "hush" not in str(caught.value)


def test_missing_named_file_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"gone.toml does not exist"):
        load(Path("gone.toml"))


def test_secrets_file_readable_by_everyone_is_refused() -> None:
    _write('pepper = "0123456789abcdef"', "secrets.toml", mode=0o644)
    with pytest.raises(ConfigError, match=r"secrets_file .*chmod 600"):
        load()


def test_secrets_in_a_config_file_readable_by_everyone_are_warned_of() -> None:
    _write('[smtp]\npassword = "hush"', mode=0o644)
    (warning,) = load().warnings
    assert "smtp.password" in warning
    assert "hush" not in warning


def test_error_texts_never_show_a_secret() -> None:
    _write("[smtp]\npassword = 4711\n")
    with pytest.raises(ConfigError) as caught:
        load()
    assert "4711" not in str(caught.value)
    assert "hush" not in repr(Settings(smtp={"password": "hush"}))  # type: ignore[arg-type]


def test_missing_secrets_are_made_once_and_kept() -> None:
    first = with_secrets(load()).settings
    again = with_secrets(load()).settings
    assert first.secret_keys == again.secret_keys
    assert first.pepper == again.pepper
    assert Path("secrets.toml").stat().st_mode & 0o077 == 0


def test_made_secrets_leave_the_rest_of_the_secrets_file_alone() -> None:
    _write('[smtp]\npassword = "hush"\n', "secrets.toml")
    assert with_secrets(load()).settings.smtp.password == "hush"
    assert load().settings.smtp.password == "hush"


def test_two_processes_that_make_secrets_at_once_keep_the_same_ones() -> None:
    before = load()
    one, other = with_secrets(before).settings, with_secrets(before).settings
    assert one.secret_keys == other.secret_keys
    assert one.pepper == other.pepper == load().settings.pepper


def test_secrets_of_a_dry_run_are_forgotten(tmp_path: Path) -> None:
    assert with_secrets(load(), keep=False).settings.pepper
    assert list(tmp_path.iterdir()) == []


def test_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGEST_SMTP__PORT", "")
    monkeypatch.setenv("DIGEST_STORE__URL", "")
    assert load().settings == Settings()


def test_registration_by_domains_needs_some_to_be_named() -> None:
    with pytest.raises(ConfigError, match="registration_domains"):
        load(_write('registration = "domains"'))
    named = 'registration = "domains"\n[web]\nregistration_domains = ["@Lab.example"]'
    assert load(_write(named)).settings.web.registration_domains == ("lab.example",)


def test_a_proxy_that_is_no_network_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"127\.0\.0\.1/32"):
        load(_write('[web]\ntrusted_proxies = ["localhost"]'))


@pytest.mark.parametrize("name", ["a%20b", "per%41cent", "q?x=1", "sp ace#", "ünï"])
def test_store_lies_beside_the_config_whatever_the_folder_is_called(name: str) -> None:
    folder = Path(name)
    folder.mkdir()
    _write("", f"{name}/config.toml")
    engine = open_engine(load(folder / "config.toml").store_url)
    with reading(engine):
        pass
    engine.dispose()
    assert (folder / "digest.sqlite3").is_file()


@pytest.mark.parametrize(
    ("value", "why"), [("\udcff", "UTF-8"), ("a\x9bb", "control"), ("a\u2028b", "control")]
)
def test_a_name_that_could_stand_on_no_page_is_refused(
    monkeypatch: pytest.MonkeyPatch, value: str, why: str
) -> None:
    monkeypatch.setenv("DIGEST_SENDER__NAME", value)
    with pytest.raises(ConfigError, match=f"DIGEST_SENDER__NAME: .*{why}"):
        load()
