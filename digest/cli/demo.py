"""`digest demo`: the whole pipeline on a bundled sample."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digest.cli.context import Exit, finish
from digest.cli.output import fail, say

if TYPE_CHECKING:
    from digest.demo import Reader


def demo(
    out: Annotated[Path, typer.Option("--out", help="The folder for the mails.")] = Path(
        "demo-out"
    ),
) -> None:
    """Run everything once on a bundled sample: no config, no network, no real mail.

    Example: digest demo --out demo-out
    """
    from digest.demo import run

    began = time.perf_counter()
    done = run(out, lambda: datetime.now(UTC))
    say("Papers, from three sources that overlap:")
    seen: set[str] = set()
    for source in done.collected:
        again = ", read again" if source.source in seen else ""
        counts = f"{source.listed} listed, {source.new} new, {source.known} known"
        say(f"  {source.source}{again}: {counts}")
        seen.add(source.source)
    for reader in done.readers:
        _tell(reader)
    say("")
    say(
        f"{done.received} mails arrived at the embedded SMTP server, "
        f"{done.delivered.sent} recorded as sent, in {time.perf_counter() - began:.1f} s."
    )
    pages = [path for reader in done.readers for path in reader.files if path.suffix == ".html"]
    if pages:
        say(f"Open one in a browser: {pages[0]}")
    if done.received != len(done.readers) or done.delivered.sent != done.received:
        fail("not every mail arrived")
        finish(Exit.PARTLY)


def _tell(reader: "Reader") -> None:
    from digest.domain.digests import Digest, reason_sentence
    from digest.domain.interests import written

    one = reader.composed
    wanted = [written(item) for item in one.subscriber.interests if not item.excluded]
    say("")
    say(f"{one.subscriber.email}: {', '.join(wanted) or 'no interests, so what trends'}")
    if not isinstance(one.content, Digest):
        say(f"  no mail: {one.content.reason.value}")
        return
    for number, pick in enumerate(one.content.picks, start=1):
        say(f"  {number}. {reader.papers[pick.paper_id].title}")
        say(f"     {reason_sentence(pick.reason)}")
    pages = [path for path in reader.files if path.suffix == ".html"]
    say(f"  → {pages[0]} (beside it .txt and .eml)" if pages else "  → no mail arrived")
