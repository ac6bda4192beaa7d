"""SQLite whose writers get in between the chunks of long work (D12).

It lets one write at a time. Whoever waits for its lock looks again and again, and by
itself SQLite looks ever more seldom, in the end each tenth of a second: what writes
chunk after chunk would have to pause as long for anybody to find the lock free.
"""

import sqlite3

from django.db.backends.sqlite3 import base
from django.db.utils import OperationalError

from integration import clock

LOOK_SECONDS = 0.002
"""How often whoever waits looks. Once costs 20 µs."""


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's own, but for how a transaction waits for its turn."""

    def _start_transaction_under_autocommit(self) -> None:
        """Raises ``OperationalError`` when its turn has not come within ``timeout``."""
        patience = self.settings_dict["OPTIONS"]["timeout"]
        # The lock knows no other clock than the machine's.
        until = clock.monotonic() + patience * clock.rate()
        try:
            self._wait_at_most(0)
            for _ in range(int(patience / LOOK_SECONDS)):
                if self._has_begun():
                    return
                if clock.monotonic() >= until:
                    break
                clock.sleep(LOOK_SECONDS * clock.rate())
            self._begin()
        finally:
            self._wait_at_most(patience)

    def _has_begun(self) -> bool:
        try:
            self._begin()
        except OperationalError as error:
            if _is_busy(error):
                return False
            raise
        return True

    def _begin(self) -> None:
        with self.cursor() as cursor:
            cursor.execute("BEGIN IMMEDIATE")

    def _wait_at_most(self, seconds: float) -> None:
        """What any other statement waits."""
        self.connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1_000)}").close()


def _is_busy(error: OperationalError) -> bool:
    code = getattr(error.__cause__, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & 0xFF == sqlite3.SQLITE_BUSY
