"""What the endpoints work with: one desk a process, handed along with every request."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from sqlalchemy import Engine
from starlette.requests import Request

from digest.app import App
from digest.domain.subscribers import Preferences
from digest.mail.links import Site
from digest.mail.theme import Theme
from digest.mail.tokens import Tokens
from digest.services.bounce import Means
from digest.services.mailroom import Mailroom
from digest.services.on_demand import OnDemand
from digest.services.subscribe import Keys
from digest.settings import Settings
from digest.sources.sns import Sns
from digest.web.pages import Pages


@dataclass(frozen=True, kw_only=True)
class Desk:
    """Everything the endpoints need; `clock` gives the present UTC instant.

    `site` is where people find the pages; its `url` is None where the operator named none.
    `mailroom` is None where no sender is set, and then no mail can be shown. `wake` tells the one
    who takes in sign-ups that there is one. `sns` keeps the certificates of Amazon's reports.
    """

    engine: Engine
    settings: Settings
    clock: Callable[[], datetime]
    site: Site
    tokens: Tokens
    keys: Keys
    means: Means
    window: OnDemand
    pages: Pages
    new_preferences: Preferences
    mailroom: Mailroom | None = None
    wake: Callable[[], None] = field(default=lambda: None)
    sns: Sns = field(default_factory=Sns)


def desk_of(request: Request) -> Desk:
    """The desk of the application that the request came to."""
    return cast(Desk, request.app.state.desk)


def desk_over(app: App, wake: Callable[[], None] = lambda: None) -> Desk:
    """The desk of an app; without a sender's address there is one too, but it shows no mail.

    Raises ConfigError for a key or a colour of the settings that cannot be used.
    """
    settings = app.settings
    return Desk(
        engine=app.engine,
        settings=settings,
        clock=app.clock,
        site=Site(url=settings.site.url or None),
        tokens=app.tokens,
        keys=app.keys,
        means=app.means,
        window=app.window,
        pages=_pages(app),
        new_preferences=app.new_preferences,
        mailroom=app.mailroom if settings.sender.address else None,
        wake=wake,
    )


def _pages(app: App) -> Pages:
    sender = app.settings.sender
    site = {
        "name": sender.name,
        "tagline": sender.tagline,
        "imprint": sender.imprint,
        "contact": sender.contact or sender.address,
        "registration": app.settings.registration.value,
    }
    theme = Theme(**app.settings.theme.model_dump())
    return Pages(site, app.loaded.file(app.settings.templates.folder), theme)
