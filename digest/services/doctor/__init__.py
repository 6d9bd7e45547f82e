"""The doctor: looks at everything that a service stands on, and says what is wrong and the mend.

One module per area; `plan` puts their checks in order and `examine` runs them side by side, each
within its deadline.
"""

from digest.services.doctor.model import (
    Checkup,
    ConfigFacts,
    Dkim,
    Hooks,
    Pages,
    Sender,
    StoreFacts,
    World,
)
from digest.services.doctor.running import examine, plan

__all__ = [
    "Checkup",
    "ConfigFacts",
    "Dkim",
    "Hooks",
    "Pages",
    "Sender",
    "StoreFacts",
    "World",
    "examine",
    "plan",
]
