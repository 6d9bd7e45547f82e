"""`digest dkim`: the keys that sign, and the DNS records that tell the world of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest.cli.context import open_app
from digest.cli.output import DryRun, Json, emit_json, note, say
from digest.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from digest.app import App
    from digest.mail.keys import DnsRecord, KeyType

UNTOLD = "YOUR-DOMAIN"

dkim = typer.Typer(
    no_args_is_help=True,
    help="The signing key and its DNS record.\n\nExample: digest dkim keygen",
)


@dkim.command("keygen")
def keygen(
    kind: Annotated[
        str, typer.Option("--type", help="Which keys to make: rsa, ed25519 or both.")
    ] = "rsa",
    bits: Annotated[
        int, typer.Option("--bits", min=2048, max=4096, help="The length of the RSA key.")
    ] = 2048,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The file to write; else dkim.key_file or one beside config."),
    ] = None,
    selector: Annotated[
        str, typer.Option("--selector", help="The key's name in DNS; else dkim.selector.")
    ] = "",
    dry_run: DryRun = False,
) -> None:
    """Make a signing key; print what goes into config and DNS. Nothing is overwritten.

    Example: digest dkim keygen · digest dkim keygen --selector digest2 (to rotate)
    """
    from digest.mail import keys

    kinds = _kinds(kind)
    if out is not None and len(kinds) > 1:
        raise UsageError("--out takes one key: give --type rsa or --type ed25519 with it")
    app = open_app(dry_run=dry_run)
    domain = _domain(app)
    planned = [_Planned(app, one, selector, out, alone=len(kinds) == 1) for one in kinds]
    for one in planned:
        keys.record_name(domain or UNTOLD, one.selector, "--selector")
        if one.path.exists() or one.path.is_symlink():
            raise keys.file_exists(one.path)
    if dry_run:
        for one in planned:
            say(f"would write {one.path} ({_described(one.kind, bits)})")
        return
    records = [one.make(domain or UNTOLD, bits) for one in planned]
    _say_config(planned)
    _say_records(records)
    if not domain:
        note("sender.address is not set: once it is, 'digest dkim record' prints the full name")


@dkim.command("record")
def record(as_json: Json = False) -> None:
    """The DNS records to publish for the configured keys.

    Example: digest dkim record
    """
    from digest.mail.keys import dns_record, load_keys, record_name, signing_domain

    app = open_app()
    settings = app.settings.dkim
    domain = signing_domain(settings.domain, app.settings.sender.address)
    keys = load_keys(
        domain,
        settings.selector,
        _path(app, settings.key_file),
        settings.ed25519_selector,
        _path(app, settings.ed25519_key_file),
    )
    if not keys:
        raise ConfigError("dkim.key_file is not set: make a key with 'digest dkim keygen'")
    records = [dns_record(record_name(domain, key.selector), key.private) for key in keys]
    if as_json:
        emit_json(_object(one) for one in records)
        return
    _say_records(records)


class _Planned:
    """One key to be made: its kind, its selector and its file."""

    def __init__(
        self, app: "App", kind: "KeyType", selector: str, out: Path | None, *, alone: bool
    ) -> None:
        settings = app.settings.dkim
        if kind.value == "rsa":
            known, kept = settings.selector, settings.key_file
        else:
            usual = f"{selector or settings.selector}-ed25519"
            known, kept = settings.ed25519_selector or usual, settings.ed25519_key_file
            selector = selector if alone else selector and usual
        self.kind = kind
        self.selector = selector or known
        # the configured file belongs to the configured selector
        beside = app.loaded.path(f"dkim-{self.selector}.pem")
        usual_path = app.loaded.path(kept) if kept and self.selector == known else beside
        self.path = out if out is not None else usual_path
        self._base = app.loaded.base

    def make(self, domain: str, bits: int) -> "DnsRecord":
        """Write the key; its record."""
        from digest.mail.keys import dns_record, make_key, record_name, write_key

        private = make_key(self.kind, bits)
        write_key(self.path, private)
        say(f"wrote {self.path} ({_described(self.kind, bits)}, mode 600)")
        return dns_record(record_name(domain, self.selector), private)

    def config(self) -> list[str]:
        """The lines that tell the config of this key."""
        prefix = "" if self.kind.value == "rsa" else "ed25519_"
        path = self.path.absolute()
        shown = path.relative_to(self._base) if path.is_relative_to(self._base) else path
        quoted = str(shown).replace("\\", "\\\\").replace('"', '\\"')
        return [f'{prefix}selector = "{self.selector}"', f'{prefix}key_file = "{quoted}"']


def _kinds(text: str) -> "list[KeyType]":
    from digest.mail.keys import KeyType

    if text == "both":
        return [KeyType.RSA, KeyType.ED25519]
    if text not in set(KeyType):
        raise UsageError(f"--type {text}: give rsa, ed25519 or both")
    return [KeyType(text)]


def _domain(app: "App") -> str:
    """The domain that signs, empty where no address is set yet."""
    from digest.mail.keys import signing_domain

    chosen, sender = app.settings.dkim.domain, app.settings.sender.address
    return signing_domain(chosen, sender) if chosen or sender else ""


def _path(app: "App", text: str) -> Path | None:
    return app.loaded.path(text) if text else None


def _described(kind: "KeyType", bits: int) -> str:
    return f"rsa, {bits} bits" if kind.value == "rsa" else kind.value


def _say_config(planned: Sequence[_Planned]) -> None:
    say("")
    say("config.toml:")
    say("  [dkim]")
    for one in planned:
        for line in one.config():
            say(f"  {line}")
    say("")


def _say_records(records: Sequence["DnsRecord"]) -> None:
    for number, one in enumerate(records):
        if number:
            say("")
        say("DNS record, for a web form:")
        say(f"  name   {one.name}")
        say("  type   TXT")
        say(f"  value  {one.value}")
        say("DNS record, for a zone file:")
        for line in one.zone.splitlines():
            say(line)  # not indented: in a zone file a line that begins with a space has no name


def _object(record: "DnsRecord") -> dict[str, Any]:
    return {
        "name": record.name,
        "type": "TXT",
        "value": record.value,
        "strings": record.strings,
        "zone": record.zone,
    }
