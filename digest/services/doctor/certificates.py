"""Until when a certificate is good."""

from datetime import datetime

from cryptography import x509

from digest.domain.checkup import Area, Finding, certificate, judged


def ends_at(der: bytes) -> datetime:
    """The end of a certificate's validity, in UTC. Raises ValueError for what is none."""
    return x509.load_der_x509_certificate(der).not_valid_after_utc


def certificate_finding(area: Area, ends: datetime, now: datetime, mend: str) -> Finding:
    """How long it is still good."""
    left = ends - now
    text = f"valid until {ends:%Y-%m-%d}, {left.days} days left"
    return judged(area, "certificate", certificate(left), text, mend)
