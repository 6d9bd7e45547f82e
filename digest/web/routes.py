"""Everything there is behind an address, in one list."""

from starlette.routing import BaseRoute

from digest.web import (
    access,
    account,
    archive,
    assets,
    confirm,
    feeds,
    home,
    leaving,
    own,
    preferences,
    votes,
    webhooks,
)

_PARTS = (
    home,
    confirm,
    preferences,
    account,
    access,
    leaving,
    votes,
    own,
    archive,
    feeds,
    webhooks,
    assets,
)

ALL: list[BaseRoute] = [route for part in _PARTS for route in part.routes]
