"""Mails from an IMAP folder over TLS, against a real server on loopback."""

import ssl
import tracemalloc

import pytest

from digest.errors import ConfigError, MailError
from digest.mail import imap
from digest.mail.imap import ImapSettings, watched_imap
from digest.mail.mailboxes import MAIL_MOST
from tests.mail.imapserver import ImapServer, a_certificate

MAILS = (b"Subject: one\r\n\r\nfirst\r\n", b"Subject: two\r\n\r\n\xff\x00\r\n", b"")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return a_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def server(certificate):
    with ImapServer(certificate) as running:
        yield running


def settings(server, **changes):
    values = {"host": "127.0.0.1", "port": server.port, "username": "bounces"}
    return ImapSettings(**values | {"password": "secret"} | changes)


def read(server, certificate, *, finish=True, **changes):
    trust = ssl.create_default_context(cafile=certificate)
    found = []
    for mail in watched_imap(settings(server, **changes), trust):
        found.append((mail.name, mail.raw))
        if finish:
            mail.done()
    return found


def test_unseen_mails_come_once_and_are_marked_seen_when_done(server, certificate):
    server.put(b"old", flags=("\\Seen",))
    server.put(*MAILS)
    expected = [(f"uid {102 + n}", raw) for n, raw in enumerate(MAILS)]
    assert read(server, certificate) == expected
    assert server.seen() == [101, 102, 103, 104]
    assert read(server, certificate) == []
    verbs = {command.split(" (")[0].split(" ")[0] for command in server.commands}
    assert verbs <= {"CAPABILITY", "LOGIN", "SELECT", "UID", "LOGOUT"}  # nothing is expunged


def test_what_is_not_done_stays_unseen(server, certificate):
    server.put(*MAILS)
    assert len(read(server, certificate, finish=False)) == 3
    assert server.seen() == []


def test_a_reader_that_stops_half_way_has_marked_what_it_did(server, certificate):
    server.put(*MAILS)
    trust = ssl.create_default_context(cafile=certificate)
    mails = watched_imap(settings(server), trust)
    next(mails).done()
    next(mails)
    mails.close()
    assert server.seen() == [101]


def test_many_are_marked_in_batches(server, certificate, monkeypatch):
    monkeypatch.setattr(imap, "MARKED_AT_ONCE", 4)
    server.put(*[b"x"] * 10)
    assert len(read(server, certificate)) == 10
    assert len(server.seen()) == 10
    assert sum("STORE" in command for command in server.commands) == 3


def test_of_a_huge_mail_only_the_head_is_fetched(server, certificate):
    server.put(b"Subject: big\r\n\r\n" + b"x" * (12 << 20))
    tracemalloc.start()
    ((_, raw),) = read(server, certificate)
    assert len(raw) == MAIL_MOST
    assert tracemalloc.get_traced_memory()[1] < 60 << 20
    tracemalloc.stop()


def test_a_server_that_announces_a_terabyte_gets_no_room_for_it(server, certificate):
    server.put(*MAILS)
    server.announces = 1 << 40
    with pytest.raises(MailError, match=r"announces 1099511627776 bytes"):
        read(server, certificate)


def test_another_folder_with_letters_of_its_own(server, certificate):
    server.put(b"x", folder="R&APw-ckl&AOQ-ufer")
    assert len(read(server, certificate, folder="Rückläufer")) == 1


def test_letters_beyond_ascii_in_a_password_go_by_sasl(server, certificate):
    assert read(server, certificate, password="pässwort") == []
    assert any(command.startswith("AUTHENTICATE PLAIN") for command in server.commands)


def test_a_refused_login_says_so_without_the_password(server, certificate):
    with pytest.raises(MailError, match="refused the login of bounces") as caught:
        read(server, certificate, password="hunter2")
    assert "hunter2" not in str(caught.value) + repr(caught.value.__cause__)
    assert "hunter2" not in repr(settings(server, password="hunter2"))


def test_a_certificate_that_is_not_trusted_ends_before_the_login(server):
    with pytest.raises(MailError, match="certificate that cannot be trusted"):
        list(watched_imap(settings(server)))
    assert server.commands == []


def test_a_certificate_for_another_host_ends_before_the_login(tmp_path):
    other = a_certificate(tmp_path, "127.0.0.9")
    with ImapServer(other) as server:
        with pytest.raises(MailError, match="certificate that cannot be trusted"):
            read(server, other)
        assert server.commands == []


def test_a_server_without_tls_gets_no_password(certificate):
    with ImapServer(None) as server:
        with pytest.raises(MailError, match="does not speak TLS there"):
            read(server, certificate)
        assert not any("LOGIN" in command for command in server.commands)


def test_a_server_that_is_not_there_or_a_missing_folder_is_named(server, certificate):
    with pytest.raises(MailError, match="has no folder 'Gone' for bounces"):
        read(server, certificate, folder="Gone")
    port = server.port
    server.server_close()
    with pytest.raises(MailError, match=rf"127\.0\.0\.1:{port} cannot be reached"):
        read(server, certificate, port=port)


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["LOGIN", "SELECT", "UID SEARCH", "UID FETCH", "UID STORE"])
def test_a_server_that_hangs_up_is_an_error_and_nothing_is_lost(server, certificate, verb):
    server.put(*MAILS)
    server.fails_at = verb
    with pytest.raises(MailError, match=r"127\.0\.0\.1"):
        read(server, certificate)
    server.fails_at = ""
    assert len(read(server, certificate)) == 3


@pytest.mark.parametrize("changes", [{"username": ""}, {"password": ""}, {"password": "a\r\nb"}])
def test_an_account_that_cannot_be_is_a_setting_to_mend(server, certificate, changes):
    with pytest.raises(ConfigError, match=r"bounces\.imap_password"):
        read(server, certificate, **changes)
    assert server.commands == []
