"""The doctor on DNS: SPF, DKIM, DMARC, PTR and MX, over a name server on loopback."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from digest.domain.checkup import Area, Finding, Level
from digest.mail.handshake import RelaySettings
from digest.mail.keys import KeyType, dns_record, make_key, write_key
from digest.services.doctor import Sender
from tests.services.doctoring import DOMAIN, GOOD, Names, a_checkup, a_world, found, name_server

KEY = make_key(KeyType.RSA)
RECORD = dns_record(f"digest._domainkey.{DOMAIN}", KEY)
P = RECORD.value.partition("p=")[2]


@pytest.fixture
def names() -> Iterator[Names]:
    with name_server(GOOD) as served:
        yield served


def _one(findings: list[Finding], name: str) -> Finding:
    (one,) = [finding for finding in findings if finding.name == name]
    return one


def test_a_domain_in_good_order_has_nothing_to_mend(names: Names, tmp_path: Path) -> None:
    areas = (Area.SPF, Area.DMARC, Area.PTR, Area.MX, Area.NETWORK)
    findings = found(a_checkup(tmp_path), a_world(names), *areas)
    assert {one.level for one in findings} == {Level.OK}
    assert {one.area for one in findings} == set(areas)
    assert not any(one.mend for one in findings)


@pytest.mark.parametrize(
    ("records", "level", "text", "mend"),
    [
        ([], "fail", "no SPF record", "publish a TXT record at lab.example"),
        (["v=spf10 -all"], "fail", "no SPF record", "v=spf1"),
        (["v=spf1 -all", "v=spf1 mx -all"], "fail", "2 SPF records", "correct"),
        (["v=spf1 +all"], "fail", "lets everybody", "~all or -all"),
        (["v=spf1 mx ?all"], "warn", "refuses nobody", "~all or -all"),
        (["v=spf1 mx"], "warn", "refuses nobody", "~all or -all"),
        (["v=spf1 mx banana -all"], "fail", "'banana' cannot be read", "correct"),
        (["v=spf1 ip4:192.0.2.300 -all"], "fail", "is no network", "correct"),
        (["v=spf1 a/99 -all"], "fail", "no length of a network", "correct"),
        (["v=spf1 include:none.example -all"], "fail", "includes none.example", "correct"),
        (["v=spf1 include:lab.example -all"], "fail", "more than 10 DNS lookups", "correct"),
        (["V=SPF1 MX -ALL"], "ok", "V=SPF1 MX -ALL", ""),
    ],
)
def test_spf_records_are_judged_as_receivers_do(
    names: Names, tmp_path: Path, records: list[str], level: str, text: str, mend: str
) -> None:
    names.records[DOMAIN, "TXT"] = [f'"{record}"' for record in records] or ['"other"']
    findings = found(a_checkup(tmp_path), a_world(names), Area.SPF)
    told = [one for one in findings if one.level == level and text in one.text]
    assert told, findings
    assert mend in told[0].mend


@pytest.mark.parametrize(
    ("record", "level"),
    [
        ("v=spf1 ip4:192.0.2.0/24 -all", "ok"),
        ("v=spf1 a:mail.lab.example -all", "ok"),
        ("v=spf1 a:other.example/24 -all", "ok"),  # 192.0.2.9 there
        ("v=spf1 include:provider.example -all", "ok"),
        ("v=spf1 redirect=provider.example", "ok"),
        ("v=spf1 -ip4:192.0.2.1 mx -all", "warn"),  # the first that matches decides
        ("v=spf1 ip4:198.51.100.7 -all", "warn"),
        ("v=spf1 ip6:2001:db8::/32 -all", "warn"),
        ("v=spf1 -all redirect=provider.example", "warn"),  # all ends it (RFC 7208 §6.1)
        ("v=spf1 exists:%{i}.x.example -all", "unknown"),
    ],
)
def test_spf_tells_whether_the_relay_may_send(
    names: Names, tmp_path: Path, record: str, level: str
) -> None:
    names.records[DOMAIN, "TXT"] = [f'"{record}"']
    names.records["other.example", "A"] = ["192.0.2.9"]
    names.records["provider.example", "TXT"] = ['"v=spf1 ip4:192.0.2.1 ~all"']
    finding = _one(found(a_checkup(tmp_path), a_world(names), Area.SPF), "relay")
    assert finding.level == level, finding
    assert ("add ip4:192.0.2.1 to the TXT record of lab.example" in finding.mend) == (
        level == "warn"
    )


def test_spf_is_asked_of_the_domain_that_mail_returns_to(names: Names, tmp_path: Path) -> None:
    names.records["returns.example", "TXT"] = ['"v=spf1 ip4:192.0.2.1 -all"']
    names.records["returns.example", "MX"] = ["0 ."]
    sender = Sender(address=f"digest@{DOMAIN}", bounces="b@returns.example")
    findings = found(a_checkup(tmp_path, sender=sender), a_world(names), Area.SPF, Area.MX)
    assert "returns.example: v=spf1" in _one(findings, "record").text
    assert _one(findings, "sender").level is Level.OK
    returns = _one(findings, "returns")
    assert (returns.level, "null MX" in returns.text) == (Level.FAIL, True)


@pytest.mark.parametrize(
    ("record", "level", "text"),
    [
        (None, "fail", "DNS has no TXT record digest._domainkey.lab.example"),
        (RECORD.value, "ok", "is of this key"),
        (f"p={P[:100]} {P[100:]} ; k = rsa", "ok", "is of this key"),
        ("v=DKIM1; k=rsa; p=", "fail", "revoked"),
        (f"v=DKIM1; k=rsa; p={P[:-8]}AAAAAAAA", "fail", "another key"),
        (f"v=DKIM1; k=ed25519; p={P}", "fail", "another key"),
        (f"v=DKIM1; k=rsa; h=sha1; p={P}", "fail", "forbids sha256"),
        (f"v=DKIM1; k=rsa; t=s:y; p={P}", "warn", "t=y"),
        ("hello", "fail", "no DKIM record"),
    ],
)
def test_dkim_record_is_compared_with_the_key(
    names: Names, tmp_path: Path, record: str | None, level: str, text: str
) -> None:
    write_key(tmp_path / "dkim.pem", KEY)
    if record is not None:
        pieces = [record[at : at + 200] for at in range(0, len(record), 200)]
        names.records[RECORD.name, "TXT"] = [" ".join(f'"{piece}"' for piece in pieces)]
    checkup = a_checkup(tmp_path)
    checkup = replace(checkup, dkim=replace(checkup.dkim, key_file=tmp_path / "dkim.pem"))
    key, published = found(checkup, a_world(names), Area.DKIM)
    assert (key.level, key.text) == (Level.OK, "the key can be read, by its owner alone")
    assert published.level == level, published
    assert text in published.text
    assert bool(published.mend) == (level != "ok")


def test_a_key_that_others_can_read_is_named_and_no_record_is_asked_for(
    names: Names, tmp_path: Path
) -> None:
    write_key(tmp_path / "dkim.pem", KEY)
    (tmp_path / "dkim.pem").chmod(0o640)
    checkup = a_checkup(tmp_path)
    checkup = replace(checkup, dkim=replace(checkup.dkim, key_file=tmp_path / "dkim.pem"))
    (finding,) = found(checkup, a_world(names), Area.DKIM)
    assert finding.level is Level.FAIL
    assert finding.mend == f"run 'chmod 600 {tmp_path / 'dkim.pem'}'"


def test_a_key_is_looked_at_without_network_and_its_record_is_not_known(
    names: Names, tmp_path: Path
) -> None:
    write_key(tmp_path / "dkim.pem", KEY)
    checkup = a_checkup(tmp_path)
    checkup = replace(checkup, dkim=replace(checkup.dkim, key_file=tmp_path / "dkim.pem"))
    key, record = found(checkup, a_world(names, offline=True), Area.DKIM)
    assert (key.level, record.level) == (Level.OK, Level.UNKNOWN)


@pytest.mark.parametrize(
    ("at", "records", "level", "text"),
    [
        ("", [], "warn", "has no DMARC record"),
        ("_dmarc.lab.example", ["v=DMARC1; p=reject; rua=mailto:a@b.c"], "ok", "p=reject"),
        ("_dmarc.example", ["v=DMARC1; p=none"], "ok", "_dmarc.example"),
        ("_dmarc.lab.example", ["v=DMARC1; p=none", "v=DMARC1; p=reject"], "fail", "2 DMARC"),
        ("_dmarc.lab.example", ["v=DMARC1; p=maybe"], "fail", "no policy"),
        ("_dmarc.lab.example", ["v=spf1 -all"], "warn", "has no DMARC record"),
    ],
)
def test_dmarc_is_looked_for_from_the_domain_upwards(
    names: Names, tmp_path: Path, at: str, records: list[str], level: str, text: str
) -> None:
    del names.records["_dmarc.lab.example", "TXT"]
    names.records["example", "NS"] = ["ns.example."]
    if at:
        names.records[at, "TXT"] = [f'"{record}"' for record in records]
    (finding,) = found(a_checkup(tmp_path), a_world(names), Area.DMARC)
    assert finding.level == level, finding
    assert text in finding.text


def test_strict_alignment_wants_the_very_domain_of_from(names: Names, tmp_path: Path) -> None:
    names.records["_dmarc.lab.example", "TXT"] = ['"v=DMARC1; p=reject; adkim=s; aspf=s"']
    checkup = a_checkup(
        tmp_path, sender=Sender(address=f"digest@{DOMAIN}", bounces=f"b@returns.{DOMAIN}")
    )
    dkim = replace(checkup.dkim, domain=f"sub.{DOMAIN}", key_file=tmp_path / "dkim.pem")
    findings = found(replace(checkup, dkim=dkim), a_world(names), Area.DMARC)
    assert _one(findings, "dkim").level is Level.FAIL
    assert _one(findings, "spf").level is Level.WARN


@pytest.mark.parametrize(
    ("changes", "level", "text"),
    [
        ({("1.2.0.192.in-addr.arpa", "PTR"): []}, "fail", "has no PTR record"),
        ({("1.2.0.192.in-addr.arpa", "PTR"): ["gone.example."]}, "fail", "says it is gone.example"),
        ({("mail.lab.example", "A"): ["127.0.0.9"]}, "unknown", "no public address"),
    ],
)
def test_ptr_must_lead_there_and_back(
    names: Names,
    tmp_path: Path,
    changes: dict[tuple[str, str], list[str]],
    level: str,
    text: str,
) -> None:
    names.records |= changes
    (finding,) = found(a_checkup(tmp_path), a_world(names), Area.PTR)
    assert finding.level == level, finding
    assert text in finding.text
    assert finding.mend


def test_ptr_of_a_relay_elsewhere_is_its_own_business(names: Names, tmp_path: Path) -> None:
    names.records["1.2.0.192.in-addr.arpa", "PTR"] = []
    relay = RelaySettings(host="mail.lab.example")
    (finding,) = found(a_checkup(tmp_path, relay=relay), a_world(names), Area.PTR)
    assert finding.level is Level.WARN


def test_a_host_without_a_full_name_is_told_to_get_one(names: Names, tmp_path: Path) -> None:
    world = a_world(names, host_name=lambda: "localhost.localdomain")
    (finding,) = found(a_checkup(tmp_path), world, Area.PTR)
    assert (finding.level, "smtp.local_hostname" in finding.mend) == (Level.WARN, True)


@pytest.mark.parametrize(
    ("changes", "level", "text"),
    [
        ({(DOMAIN, "MX"): ["0 ."]}, "fail", "null MX"),
        ({(DOMAIN, "MX"): []}, "fail", "no MX and no address"),
        ({(DOMAIN, "MX"): [], (DOMAIN, "A"): ["192.0.2.1"]}, "warn", "own address"),
        ({(DOMAIN, "MX"): ["5 lost.example."]}, "fail", "lost.example, which has no address"),
    ],
)
def test_a_domain_that_takes_no_mail_is_told(
    names: Names,
    tmp_path: Path,
    changes: dict[tuple[str, str], list[str]],
    level: str,
    text: str,
) -> None:
    names.records |= changes
    (finding,) = found(a_checkup(tmp_path), a_world(names), Area.MX)
    assert finding.level == level, finding
    assert text in finding.text


def test_a_domain_that_does_not_exist_fails(names: Names, tmp_path: Path) -> None:
    sender = Sender(address="digest@nowhere.example", bounces="")
    (finding,) = found(a_checkup(tmp_path, sender=sender), a_world(names), Area.MX)
    assert (finding.level, "knows no nowhere.example" in finding.text) == (Level.FAIL, True)


def test_a_question_without_answer_leaves_its_check_unknown_and_the_others_known(
    names: Names, tmp_path: Path
) -> None:
    names.silent.add("_dmarc.lab.example")
    findings = found(a_checkup(tmp_path), a_world(names), Area.SPF, Area.DMARC, Area.MX)
    unknown = [one for one in findings if one.level is Level.UNKNOWN]
    assert [one.area for one in unknown] == [Area.DMARC]
    assert "no answer about _dmarc.lab.example" in unknown[0].text
    assert [one.area for one in findings if one.level is Level.OK] == [Area.SPF] * 2 + [Area.MX]


DNS_AREAS = (Area.SPF, Area.DMARC, Area.PTR, Area.MX, Area.SITE)


@pytest.mark.parametrize("how", ["deaf", "walled"])
def test_without_network_nothing_is_a_fault_but_not_known(
    names: Names, tmp_path: Path, how: str
) -> None:
    """Walled: a name server of a closed network answers, and denies the root and all else."""
    names.deaf = how == "deaf"
    names.records = {}
    world = a_world(names)
    findings = found(a_checkup(tmp_path), world, *DNS_AREAS)
    assert {one.area for one in findings if one.level is Level.UNKNOWN} == set(DNS_AREAS)
    assert not [one for one in findings if one.level in (Level.FAIL, Level.WARN)]
    (network,) = found(a_checkup(tmp_path), world, Area.NETWORK)
    assert network.level is Level.WARN


def test_without_a_sender_there_is_no_domain_to_ask_about(names: Names, tmp_path: Path) -> None:
    checkup = a_checkup(tmp_path, sender=Sender(address="", bounces=""))
    findings = found(checkup, a_world(names), Area.SPF, Area.DMARC, Area.MX)
    assert {one.level for one in findings} == {Level.UNKNOWN}
    assert {one.mend for one in findings} == {"set sender.address first"}
