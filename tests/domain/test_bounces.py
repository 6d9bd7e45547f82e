"""What a refusal says about its recipient."""

import pytest

from digest.domain.bounces import BounceKind, Stage, classify

HARD, SOFT, POLICY = BounceKind.HARD, BounceKind.SOFT, BounceKind.POLICY


@pytest.mark.parametrize(
    ("code", "reply"),
    [
        (550, "5.1.1 <a@example.org>: Recipient address rejected: User unknown in local table"),
        (550, "5.1.1 The email account that you tried to reach does not exist. Please try again"),
        (550, "5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup"),
        (550, "5.1.6 recipient no longer on server: a@example.org"),
        (553, "sorry, no mailbox here by that name (#5.1.1)"),
        (550, "5.4.1 [a@example.org]: Recipient address rejected: Access denied"),
        (550, "5.7.1 <a@example.org>... user unknown"),
        (550, "Requested action not taken: mailbox unavailable"),
        (550, "No such recipient here"),
        (550, "#5.1.0 Address rejected."),
        (521, "5.3.2 example.org does not accept mail"),
        (0, "5.1.10 host/domain does not accept mail"),
        (0, "5.4.4 Host or domain name not found. Name service error: Host not found"),
        (0, "Unrouteable address"),
        (550, "mx.spamfilter.example.com said: 5.1.1 user unknown, see http://spam.example.com/"),
        (550, "5.1.1 unknown user, questions to abuse@example.org"),
    ],
)
def test_a_recipient_or_domain_that_is_not_there_is_hard(code: int, reply: str) -> None:
    assert classify(code, reply) is HARD


@pytest.mark.parametrize(
    "reply",
    [
        "550 Empfänger unbekannt",
        "550 Benutzer existiert nicht",
        "550 L'adresse du destinataire n'existe pas",
        "550 destinataire inconnu",
        "550 El usuario no existe",
        "550 usuário desconhecido",
        "550 utente sconosciuto",
        "550 De ontvanger bestaat niet",
        "550 Пользователь не найден",
        "550 нет такого пользователя",
        "550 użytkownik nie istnieje",
        "550 宛先のメールアドレスが見つかりません",
        "550 用户不存在",
        "550 존재하지 않는 사용자 주소: 사용자를 찾을 수 없음",
    ],
)
def test_death_is_understood_in_several_languages(reply: str) -> None:
    assert classify(550, reply) is HARD


@pytest.mark.parametrize(
    ("code", "reply"),
    [
        (450, "4.1.1 <a@example.org>: Recipient address rejected: User unknown"),
        (421, "try again later"),
        (550, "4.2.2 mailbox full"),
        (552, "5.2.2 Mailbox full"),
        (550, "5.1.1 mailbox of a@example.org is over quota"),
        (550, "5.2.1 The email account that you tried to reach is disabled"),
        (525, "5.7.13 User account disabled"),
        (550, "5.2.1 <a@example.org>: User unknown"),
        (554, "5.4.7 message expired, giving up after 4 days"),
        (0, "Host not found, try again"),
        (0, "5.4.4 Name service error: Malformed or unexpected name server reply"),
        (550, "Postgrey: Greylisted, come back in five minutes"),
        (0, "connection timed out"),
        (0, "the group may not exist, please look"),
        (550, "Unknown user someone@docomo.example"),
        (0, ""),
    ],
)
def test_what_may_live_is_never_hard(code: int, reply: str) -> None:
    assert classify(code, reply) is SOFT


@pytest.mark.parametrize(
    ("code", "reply"),
    [
        (550, "5.7.1 Service unavailable; client host [192.0.2.1] blocked using zen"),
        (550, "5.1.1 <a@example.org> has sent to too many recipients this hour"),
        (553, "5.1.3 http://www.spamhaus.org/query/bl?ip=192.0.2.1"),
        (550, "5.1.8 <me@example.net>: Sender address rejected: Domain not found"),
        (550, "Sender address rejected: User unknown"),
        (550, "5.7.26 Unauthenticated email is not accepted due to the domain's DMARC policy"),
        (554, "5.7.1 <a@example.org>: Relay access denied"),
        (552, "5.3.4 Message too big for system"),
        (550, "5.6.1 content not supported"),
        (554, "5.4.14 Hop count exceeded - possible mail loop"),
        (550, "5.7.1 Access denied"),
        (550, "We do not accept mail from hosts without reverse DNS"),
    ],
)
def test_what_is_said_of_us_is_policy(code: int, reply: str) -> None:
    assert classify(code, reply) is POLICY


def test_the_code_of_the_last_server_outweighs_the_relays_general_one() -> None:
    wrapped = "5.1.0 - Unknown address error 550-'5.2.2 <a@example.org>... Mailbox Full'"

    assert classify(0, wrapped) is SOFT
    assert classify(0, wrapped.replace("5.2.2", "5.7.1").replace("Mailbox Full", "no")) is POLICY


def test_the_refused_command_decides_what_the_words_leave_open() -> None:
    unknown = "550 5.2.1 <a@example.org>: user unknown"

    assert classify(550, unknown, stage=Stage.RCPT) is HARD
    assert classify(550, "550 user unknown", stage=Stage.RCPT) is HARD
    assert classify(550, "550 user unknown", stage=Stage.DATA) is SOFT
    assert classify(550, "550 5.1.1 user unknown", stage=Stage.DATA) is HARD
    assert classify(550, "550 user unknown", stage=Stage.MAIL) is POLICY


def test_an_address_or_a_version_is_no_status() -> None:
    assert classify(550, "no-such-user@unknown.example refused, mailer 5.1.1.9") is not HARD
