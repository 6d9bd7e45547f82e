"""What comes back: bounces, complaints, auto-replies and opt-outs, read from any bytes."""

from digest.mail.returns.model import Failure, Returned, ReturnKind
from digest.mail.returns.reading import read

__all__ = ["Failure", "ReturnKind", "Returned", "read"]
