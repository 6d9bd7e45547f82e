"""Where templates, migrations and the example config lie.

Inside the package in a wheel, beside it in a checkout.
"""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def folder(name: str) -> Path:
    """The folder `templates` or `migrations`, wherever this program runs from."""
    return _located(name)


def example_config() -> Path:
    """The commented config file with every key at its default."""
    return _located("config.example.toml")


def _located(name: str) -> Path:
    bundled = _PACKAGE / "_bundled" / name
    return bundled if bundled.exists() else _PACKAGE.parent / name
