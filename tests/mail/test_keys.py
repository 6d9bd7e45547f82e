"""Keys that sign: which are taken, which are refused and with what mend, and their DNS records."""

import base64
import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
)

from digest.errors import ConfigError, DigestError, UsageError
from digest.mail.keys import (
    KeyType,
    dns_record,
    load_signer,
    make_key,
    record_name,
    signing_domain,
    write_key,
)
from tests.mail.signatures import DOMAIN, ed25519_key, records, rsa_key, signed, verdicts

MAIL = b"From: a@papers.example\r\nSubject: x\r\n\r\nHello\r\n"


@pytest.fixture
def rsa_file(tmp_path: Path) -> Path:
    write_key(tmp_path / "rsa.pem", rsa_key())
    return tmp_path / "rsa.pem"


@pytest.fixture
def ed25519_file(tmp_path: Path) -> Path:
    write_key(tmp_path / "ed.pem", ed25519_key())
    return tmp_path / "ed.pem"


def _refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_signer(DOMAIN, "digest", path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_key_that_was_written_signs_again(rsa_file: Path, ed25519_file: Path) -> None:
    signer = load_signer(DOMAIN, "digest", rsa_file, "digest-ed", ed25519_file)
    assert signer is not None
    assert verdicts(signed(MAIL, signer), *records(signer)) == [True, True]


def test_key_file_is_the_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    for mask in (0o000, 0o777):
        path = tmp_path / f"{mask}.pem"
        before = os.umask(mask)
        try:
            write_key(path, ed25519_key())
        finally:
            os.umask(before)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----\n")


def test_key_file_is_never_overwritten_nor_followed(tmp_path: Path, rsa_file: Path) -> None:
    before = rsa_file.read_bytes()
    link, target = tmp_path / "link.pem", tmp_path / "elsewhere.pem"
    link.symlink_to(target)
    for path in (rsa_file, link):
        with pytest.raises(UsageError, match="rotate"):
            write_key(path, rsa_key())
    assert rsa_file.read_bytes() == before
    assert not target.exists()


def test_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DigestError, match="nowhere"):
        write_key(tmp_path / "nowhere" / "k.pem", ed25519_key())


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o620, 0o666])
def test_key_that_others_can_open_is_refused_with_the_mend(rsa_file: Path, mode: int) -> None:
    rsa_file.chmod(mode)
    assert f"chmod 600 {rsa_file}" in _refusal(rsa_file)
    rsa_file.chmod(0o400)
    assert load_signer(DOMAIN, "digest", rsa_file)


def test_missing_file_folder_and_pipe_are_refused(tmp_path: Path) -> None:
    assert "does not exist" in _refusal(tmp_path / "none.pem")
    assert "is no file" in _refusal(tmp_path)
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert "is no file" in _refusal(tmp_path / "pipe")


def _keep(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"\xff\x00" * 99,
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    ],
)
def test_garbage_is_refused_without_quoting_it(tmp_path: Path, content: bytes) -> None:
    said = _refusal(_keep(tmp_path / "k.pem", content))
    assert "keygen" in said
    assert "AAAA" not in said


def test_public_key_in_place_of_the_private_is_refused(tmp_path: Path) -> None:
    pem = rsa_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert "no private key" in _refusal(_keep(tmp_path / "k.pem", pem))


def test_encrypted_key_is_refused_with_the_mend(tmp_path: Path) -> None:
    locked = BestAvailableEncryption(b"secret")
    pem = rsa_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked)
    assert "openssl pkey" in _refusal(_keep(tmp_path / "k.pem", pem))


def test_short_rsa_key_is_refused(tmp_path: Path) -> None:
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    pem = short.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert "1024 bits" in _refusal(_keep(tmp_path / "k.pem", pem))


def test_key_of_another_kind_is_refused(tmp_path: Path, rsa_file: Path, ed25519_file: Path) -> None:
    curve = ec.generate_private_key(ec.SECP256R1())
    pem = curve.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert "no rsa key" in _refusal(_keep(tmp_path / "k.pem", pem))
    assert "no rsa key" in _refusal(ed25519_file)
    with pytest.raises(ConfigError, match="no ed25519 key"):
        load_signer(DOMAIN, "digest", rsa_file, "digest-ed", rsa_file)


def test_pkcs1_key_of_other_tools_is_taken(tmp_path: Path) -> None:
    pem = rsa_key().private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    assert load_signer(DOMAIN, "digest", _keep(tmp_path / "k.pem", pem))


@pytest.mark.parametrize("name", ["", "a b", "ü", "-a", "a-", "a..b", "a_b", "a" * 64, "a\n", "*"])
def test_what_is_no_dns_name_is_refused(rsa_file: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"dkim\.selector"):
        load_signer(DOMAIN, name, rsa_file)
    with pytest.raises(ConfigError, match=r"dkim\.domain"):
        load_signer(name, "digest", rsa_file)


def test_selector_may_have_several_labels(rsa_file: Path) -> None:
    assert load_signer(DOMAIN, "2026.digest", rsa_file)
    with pytest.raises(ConfigError, match="253"):
        load_signer(".".join(["a" * 60] * 4), "digest", rsa_file)


def test_nothing_configured_is_no_signer() -> None:
    assert load_signer(DOMAIN, "digest", None) is None


def test_ed25519_stands_beside_rsa_under_a_selector_of_its_own(
    rsa_file: Path, ed25519_file: Path
) -> None:
    with pytest.raises(ConfigError, match="RSA"):
        load_signer(DOMAIN, "digest", None, "digest-ed", ed25519_file)
    for selector in ("", "digest", "DIGEST"):
        with pytest.raises(ConfigError, match="ed25519_selector"):
            load_signer(DOMAIN, "digest", rsa_file, selector, ed25519_file)


@pytest.mark.parametrize(
    ("chosen", "sender", "signs"),
    [
        ("", "digest@papers.example", "papers.example"),
        ("papers.example", "digest@papers.example", "papers.example"),
        ("Papers.EXAMPLE", "digest@papers.example", "papers.example"),
        ("papers.example", "digest@mail.papers.example", "papers.example"),
        ("mail.papers.example", "digest@papers.example", "mail.papers.example"),
        ("", "digest@bücher.example", "xn--bcher-kva.example"),
        ("bücher.example", "digest@xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("papers.example", "", "papers.example"),
    ],
)
def test_domain_that_dmarc_aligns_signs(chosen: str, sender: str, signs: str) -> None:
    assert signing_domain(chosen, sender) == signs


@pytest.mark.parametrize(
    "chosen", ["other.example", "example", "apers.example", "a b", "x@y.example", "évil..example"]
)
def test_domain_that_dmarc_would_fail_is_refused(chosen: str) -> None:
    with pytest.raises(ConfigError, match=r"dkim\.domain"):
        signing_domain(chosen, "digest@papers.example")


def test_neither_domain_nor_sender_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match=r"sender\.address"):
        signing_domain("", "")


def test_rsa_record_is_in_strings_of_at_most_255_octets() -> None:
    record = dns_record(record_name(DOMAIN, "digest"), rsa_key())
    assert record.name == "digest._domainkey.papers.example"
    assert record.value.startswith("v=DKIM1; k=rsa; p=")
    assert "".join(record.strings) == record.value
    assert [len(piece) <= 255 for piece in record.strings] == [True, True]
    der = base64.b64decode(record.value.partition("p=")[2])
    assert load_der_public_key(der) == rsa_key().public_key()


def test_ed25519_record_holds_the_bare_32_octets() -> None:
    record = dns_record(record_name(DOMAIN, "digest-ed"), ed25519_key())
    kind, _, text = record.value.rpartition(" p=")
    assert kind == "v=DKIM1; k=ed25519;"
    assert base64.b64decode(text) == ed25519_key().public_key().public_bytes_raw()
    assert len(record.strings) == 1


def test_zone_form_is_read_back_by_a_zone_parser() -> None:
    zone = pytest.importorskip("dns.zone", reason="dnspython is not installed")
    record = dns_record(record_name(DOMAIN, "digest"), rsa_key())
    text = f"$TTL 3600\n@ IN SOA a. b. 1 2 3 4 5\n@ IN NS a.\n{record.zone}\n"
    read = zone.from_text(text, origin=DOMAIN)
    (data,) = read.find_rdataset("digest._domainkey", "TXT")
    assert b"".join(data.strings).decode() == record.value


def test_made_keys_are_of_the_length_asked_for() -> None:
    longer = make_key(KeyType.RSA, 3072)
    assert isinstance(longer, rsa.RSAPrivateKey)
    assert longer.key_size == 3072
    assert KeyType.of(make_key(KeyType.ED25519)) is KeyType.ED25519
