"""Certificates of Amazon SNS: from where, how often, how large, and which of them count."""

import threading
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from digest.errors import InvalidInput, SourceError, SourceUnreachable, SourceUnreadable
from digest.sources.sns import MOST_A_MINUTE, MOST_BYTES, MOST_KEPT, Sns, politely
from tests.builders import NOON
from tests.sources.webserver import Reply, Web
from tests.web.reported import (
    CERTIFICATE,
    DAY,
    TOPIC,
    Amazon,
    certificate,
    p256,
    rsa_key,
)

MINUTE = timedelta(minutes=1)


def a_url(number: int, region: str = "us-east-1", end: str = "com") -> str:
    return f"https://sns.{region}.amazonaws.{end}/SimpleNotificationService-{number}.pem"


def test_a_certificate_is_fetched_once_and_kept():
    amazon = Amazon()
    sns = Sns(amazon)
    key = sns.key(CERTIFICATE, TOPIC, NOON)
    assert key == sns.key(CERTIFICATE, TOPIC, NOON + DAY) == rsa_key("sns", 2048).public_key()
    assert amazon.asked == [CERTIFICATE]


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_each_partition_has_its_own_hosts(partition):
    region, end = {
        "aws": ("eu-central-1", "com"),
        "aws-cn": ("cn-northwest-1", "com.cn"),
        "aws-us-gov": ("us-gov-west-1", "com"),
    }[partition]
    topic = f"arn:{partition}:sns:{region}:123456789012:reports"
    other = "com" if end == "com.cn" else "com.cn"
    amazon = Amazon()
    amazon.pages = {a_url(1, region, host): certificate() for host in ("com", "com.cn")}
    assert Sns(amazon).key(a_url(1, region, end), topic, NOON)
    with pytest.raises(InvalidInput):
        Sns(amazon).key(a_url(1, region, other), topic, NOON)
    assert amazon.asked == [a_url(1, region, end)]


@pytest.mark.parametrize(
    "topic",
    ["", "us-east-1", "arn:aws:sqs:us-east-1:123456789012:x", "arn:aws:sns:us-east-1:1:x"],
)
def test_what_is_no_topic_has_no_certificate(topic):
    amazon = Amazon()
    with pytest.raises(InvalidInput):
        Sns(amazon).key(CERTIFICATE, topic, NOON)
    assert amazon.asked == []


@pytest.mark.parametrize("day", [-101, 101])
def test_a_certificate_counts_only_while_it_is_valid(day):
    with pytest.raises(SourceUnreadable):
        Sns(Amazon()).key(CERTIFICATE, TOPIC, NOON + day * DAY)


def an_elliptic_certificate() -> bytes:
    name = x509.Name([])
    made = x509.CertificateBuilder(name, name, p256("sns").public_key(), 1, NOON - DAY, NOON + DAY)
    return made.sign(p256("sns"), hashes.SHA256()).public_bytes(Encoding.PEM)


@pytest.mark.parametrize("kind", ["empty", "page", "half", "short key", "elliptic"])
def test_what_is_no_certificate_of_sns_proves_nothing_and_is_not_kept(kind):
    amazon = Amazon()
    amazon.pages[CERTIFICATE] = {
        "empty": b"",
        "page": b"<html>not here</html>",
        "half": certificate()[:300],
        "short key": certificate("short", 1024),
        "elliptic": an_elliptic_certificate(),
    }[kind]
    sns = Sns(amazon)
    with pytest.raises(SourceUnreadable):
        sns.key(CERTIFICATE, TOPIC, NOON)
    amazon.pages[CERTIFICATE] = certificate()
    assert sns.key(CERTIFICATE, TOPIC, NOON)


def test_few_certificates_are_kept():
    amazon = Amazon()
    amazon.pages = {a_url(number): certificate() for number in range(MOST_KEPT + 1)}
    sns = Sns(amazon)
    for number in range(MOST_KEPT + 1):
        sns.key(a_url(number), TOPIC, NOON + number * MINUTE)
    for number in range(MOST_KEPT, 0, -1):
        sns.key(a_url(number), TOPIC, NOON + DAY)
    assert len(amazon.asked) == MOST_KEPT + 1
    sns.key(a_url(0), TOPIC, NOON + DAY)
    assert amazon.asked[-1] == a_url(0)


def test_strangers_cannot_make_us_ask_without_end_nor_lock_out_what_is_known():
    amazon = Amazon()
    sns = Sns(amazon)
    sns.key(CERTIFICATE, TOPIC, NOON)
    for number in range(50):
        with pytest.raises((KeyError, SourceError)):
            sns.key(a_url(number), TOPIC, NOON)
    assert len(amazon.asked) == MOST_A_MINUTE
    assert sns.key(CERTIFICATE, TOPIC, NOON)
    amazon.pages[a_url(1)] = certificate()
    assert sns.key(a_url(1), TOPIC, NOON + MINUTE)


def test_one_request_at_a_time_is_under_way():
    begun, go_on = threading.Event(), threading.Event()

    def slow(url: str) -> bytes:
        begun.set()
        assert go_on.wait(20)
        return certificate()

    sns = Sns(slow)
    first = threading.Thread(target=sns.key, args=(CERTIFICATE, TOPIC, NOON))
    first.start()
    assert begun.wait(20)
    with pytest.raises(SourceUnreachable):
        sns.key(a_url(2), TOPIC, NOON)
    go_on.set()
    first.join(20)
    assert sns.key(CERTIFICATE, TOPIC, NOON)


def test_an_answer_counts_from_the_very_address_at_the_first_try_alone(web: Web) -> None:
    web.answers["/moved"] = [Reply(302, headers={"Location": web.url + "/there"})]
    web.answers["/busy"] = [Reply(503), Reply(body=b"x")]
    web.answers["/there"] = [Reply(body=b"x")]
    for path in ("/moved", "/busy"):
        with pytest.raises(SourceUnreachable):
            politely(web.url + path)
    assert [one.path for one in web.asked] == ["/moved", "/busy"]
    assert politely(web.url + "/there") == b"x"


def test_a_page_that_is_too_large_is_not_read_to_its_end(web: Web) -> None:
    web.answers["/large"] = [Reply(body=b"x" * (MOST_BYTES + 1))]
    with pytest.raises(SourceUnreachable, match="larger"):
        politely(web.url + "/large")
