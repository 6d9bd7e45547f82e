"""Which addresses mails are likely to leave from, by DNS."""

import re

from digest.services.doctor.dns import Ip, NoReply, NoSuchName
from digest.services.doctor.model import Checkup, World

_FULL_NAME = re.compile(r"(?!.*\.(?:localdomain|arpa|local)$)[a-z0-9-]+(\.[a-z0-9-]+)+", re.I)


def sending_host(checkup: Checkup, world: World) -> str:
    """The relay, or this host where the relay is here; empty where it has no full name."""
    if not checkup.relay_is_near:
        return checkup.relay.host
    name = (checkup.relay.local_hostname or world.host_name()).rstrip(".")
    return name if _FULL_NAME.fullmatch(name) else ""


def sending_addresses(checkup: Checkup, world: World) -> list[Ip]:
    """Its public addresses; none where they are not known here."""
    host = sending_host(checkup, world)
    try:
        found = world.dns.addresses(host) if host else []
    except (NoSuchName, NoReply):
        return []
    return [address for address in found if world.is_public(address)]
