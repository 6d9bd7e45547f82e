"""The webhooks of mail providers: whether their settings can work."""

import re
from collections.abc import Iterator
from functools import partial

from digest.domain.checkup import Area, Finding, fail, ok, warn
from digest.errors import ConfigError
from digest.services.doctor.model import Check, Checkup, Hooks, World

# an ARN of an SNS topic: arn:PARTITION:sns:REGION:ACCOUNT:NAME (AWS General Reference)
_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?")
PASSWORD_LEAST = 16


def checks(checkup: Checkup, _world: World) -> list[Check]:
    """The webhooks' checks."""
    return [Check(area=Area.WEBHOOKS, name="settings", run=partial(_hooks, checkup))]


def _hooks(checkup: Checkup) -> Iterator[Finding]:
    hooks = checkup.hooks
    found = [*_ses(hooks), *_sendgrid(hooks), *_postmark(hooks)]
    if not found:
        yield ok(Area.WEBHOOKS, "settings", "none is set up")
        return
    yield from found
    if not checkup.pages.url.startswith("https://"):
        text = "a provider can report to an https address alone"
        yield fail(Area.WEBHOOKS, "address", text, "set site.url to the pages' https address")


def _ses(hooks: Hooks) -> Iterator[Finding]:
    if not hooks.ses_topics:
        return
    strange = [topic for topic in hooks.ses_topics if not _TOPIC.fullmatch(topic)]
    if strange:
        mend = "copy the topic's ARN from the SNS console into webhooks.ses_topics"
        yield fail(Area.WEBHOOKS, "ses", f"{strange[0]!r} is no ARN of an SNS topic", mend)
    else:
        yield ok(Area.WEBHOOKS, "ses", f"{len(hooks.ses_topics)} topics may report")


def _sendgrid(hooks: Hooks) -> Iterator[Finding]:
    if not hooks.sendgrid_key:
        return
    try:
        hooks.read_sendgrid_key(hooks.sendgrid_key)
    except ConfigError as exc:
        text, _, mend = str(exc).partition(": ")
        yield fail(Area.WEBHOOKS, "sendgrid", text, mend)
    else:
        yield ok(Area.WEBHOOKS, "sendgrid", "the verification key can be read")


def _postmark(hooks: Hooks) -> Iterator[Finding]:
    name, password = hooks.postmark_username, hooks.postmark_password
    if not name and not password:
        return
    if not name or not password:
        lacks = "postmark_password" if name else "postmark_username"
        mend = f"set webhooks.{lacks}, the same as in Postmark"
        yield fail(Area.WEBHOOKS, "postmark", f"webhooks.{lacks} is not set", mend)
    elif len(password) < PASSWORD_LEAST:
        text = f"the password has fewer than {PASSWORD_LEAST} characters"
        mend = "set a longer webhooks.postmark_password, such as of 'openssl rand -hex 16'"
        yield warn(Area.WEBHOOKS, "postmark", text, mend)
    else:
        yield ok(Area.WEBHOOKS, "postmark", "name and password are set")
