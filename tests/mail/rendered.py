"""Rendered mails, and what stands in them."""

import re

from digest.mail.render import Rendered, Renderer
from digest.mail.views import DigestView, Manage
from tests.mail.mails import MANAGE, Seen

RENDERER = Renderer()
NO_SITE = Manage(unsubscribe_mailto=MANAGE.unsubscribe_mailto)
TAGS = "html head meta title style body div table tbody tr td p h1 h2 a b span br"
ATTRIBUTES = (
    "lang dir charset name content class style role width cellpadding cellspacing border align "
    "valign href aria-hidden"
)


def render(view: DigestView) -> Rendered:
    return RENDERER.render(view)


def html_of(rendered: Rendered) -> Seen:
    assert rendered.html is not None
    return Seen(rendered.html)


def flat(text: str) -> str:
    return re.sub(r"\s+", " ", text)
