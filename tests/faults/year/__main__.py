"""Replay one run: python -m tests.faults.year SEED [DAYS] [START [LINES]]"""

import sys
import time
from datetime import UTC, datetime

from tests.faults.year.year import LEAP_YEAR, simulate


def main(arguments: list[str]) -> int:
    seed, days = int(arguments[0]), int(arguments[1]) if len(arguments) > 1 else 366
    start = LEAP_YEAR
    if len(arguments) > 2:
        start = datetime.fromisoformat(arguments[2]).replace(tzinfo=UTC)
    began = time.process_time()
    outcome = simulate(seed, days, start=start)
    lines = outcome.tail[-int(arguments[3]) :] if len(arguments) > 3 else []
    lines.append(
        f"seed {seed}, {days} days: {outcome.digests} digests in {outcome.mails} mails, "
        f"{outcome.again} again, {outcome.in_doubt} in doubt, {outcome.deaths} deaths, "
        f"{outcome.steps} lines, {time.process_time() - began:.1f} CPU-s, {outcome.trace[:16]}"
    )
    lines.append(outcome.told() if outcome.violations else "no promise was broken")
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if outcome.violations else 0


sys.exit(main(sys.argv[1:]))
