"""The daemon: APScheduler ticks over a schedule that is data; it keeps no state of its own.

Each tick asks the store what is due. A daemon that crashed, slept or runs twice changes nothing but
the delay, because the store decides what is due and the ledger is unique.

jobs     what is done, and how often: the one list
steps    each single thing that is done
runner   runs the jobs until told to stop
signals  what a process is told from outside
"""

from digest.daemon.runner import Daemon

__all__ = ("Daemon",)
