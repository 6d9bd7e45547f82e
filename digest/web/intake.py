"""Takes in what forms brought, beside the requests, so that no answer depends on it."""

import threading
from collections.abc import Callable

import structlog

from digest.errors import DigestError

log = structlog.get_logger("digest.web")

LOOK_EVERY_S = 5.0  # for what another process received, or was left by one that died
GATHER_S = 0.25  # a batch costs as much as ten rows: forms that come together are taken in together


class Intake:
    """One thread that runs `step` when woken, and now and then; `step` says how much it did."""

    def __init__(self, step: Callable[[], int], after: Callable[[], None] = lambda: None) -> None:
        """`after` is called when a step did something: there may be mails to send."""
        self._step = step
        self._after = after
        self._woken = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """There is something to take in."""
        self._woken.set()

    def stop(self, timeout_s: float) -> None:
        """End after the step that runs; what waits stays for the next start."""
        self._stopped.set()
        self._woken.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stopped.is_set():
            if self._woken.wait(LOOK_EVERY_S):
                self._stopped.wait(GATHER_S)
            self._woken.clear()
            if not self._stopped.is_set():
                self._guarded()

    def _guarded(self) -> None:
        try:
            if self._step():
                self._after()
        except DigestError as exc:
            log.error("intake", error=str(exc))  # noqa: TRY400  # a trace would say no more
        except Exception:  # a defect must not end the thread: every later sign-up would wait
            log.exception("intake")
