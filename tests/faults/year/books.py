"""The ledger's sums, by SQL of our own: what was queued is somewhere, what is sent was taken."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine, create_engine, text

from tests.faults.year.clock import World
from tests.faults.year.post import Post
from tests.faults.year.violation import Violation

_OPEN = "('queued', 'deferred', 'sending')"
_ENDS = {"sent", "failed", "held", "skipped", "cancelled"}


@dataclass
class Row:
    kind: str
    state: str
    message_id: str
    doubtful: int


class Books:
    """Looks at the ledger from outside."""

    def __init__(self, store_url: str) -> None:
        self._engine: Engine = create_engine(store_url)

    def close(self) -> None:
        self._engine.dispose()

    def next_open(self) -> datetime | None:
        """When the next of what is not settled can be gone on with; None where nothing is left."""
        with self._engine.connect() as connection:
            query = (
                "SELECT min(CASE WHEN state = 'sending' THEN lease_until ELSE due_at END)"
                f" FROM deliveries WHERE state IN {_OPEN}"
            )
            found = connection.execute(text(query)).scalar()
        if found is None:
            return None
        at = datetime.fromisoformat(found) if isinstance(found, str) else found
        return at if at.tzinfo else at.replace(tzinfo=UTC)

    def waiting(self) -> list[str]:
        """Whose digests are not settled."""
        query = (
            "SELECT DISTINCT email FROM subscribers s JOIN deliveries d ON d.subscriber_id = s.id"
            f" WHERE d.kind = 'digest' AND d.state IN {_OPEN} ORDER BY email"
        )
        with self._engine.connect() as connection:
            return list(connection.execute(text(query)).scalars())

    def rows(self) -> list[Row]:
        query = "SELECT kind, state, message_id, doubtful FROM deliveries ORDER BY id"
        with self._engine.connect() as connection:
            return [Row(*row) for row in connection.execute(text(query))]

    def in_doubt(self) -> int:
        return sum(row.doubtful for row in self.rows())

    def judge(self, post: Post, world: World) -> list[Violation]:
        """What does not add up at the end, when nothing went wrong for days."""
        at, found = world.steady, []
        rows = self.rows()
        known: dict[str, Row] = {}
        for row in rows:
            if row.state not in _ENDS:
                found.append(
                    Violation(at, "not drained", f"{row.kind} {row.message_id} {row.state}")
                )
            if row.message_id:
                known[row.message_id] = row
        for name, tries in post.by_message.items():
            taken = sum(one.taken for one in tries)
            row = known.get(name)
            if row is None:
                found.append(Violation(at, "not in the ledger", f"{name} {tries[0].recipient}"))
            elif taken > 1 + row.doubtful:
                found.append(Violation(at, "copies", f"{name}: {taken}, {row.doubtful} in doubt"))
            elif taken and row.state != "sent" and not row.doubtful:
                found.append(Violation(at, "taken and lost", f"{name}: {row.state}"))
        for name, row in known.items():
            if row.state == "sent" and not any(one.taken for one in post.by_message.get(name, ())):
                found.append(Violation(at, "sent and never taken", f"{name}"))
        return found
