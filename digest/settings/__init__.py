"""Settings: the only reader of the TOML file and the environment.

Precedence: environment > secrets file > TOML file > default. Keys of a section are joined by two
underscores in the environment: `smtp.password` is `DIGEST_SMTP__PASSWORD`.
"""

from digest.settings.loading import CONFIG_NAME, Loaded, load, with_secrets
from digest.settings.mailing import SmtpSettings
from digest.settings.sections import (
    Settings,
    SourceSettings,
    all_keys,
    variable,
)

__all__ = [
    "CONFIG_NAME",
    "Loaded",
    "Settings",
    "SmtpSettings",
    "SourceSettings",
    "all_keys",
    "load",
    "variable",
    "with_secrets",
]
