"""The part of beat that knows when something is due."""

from typing import Any

from celery import beat


class Scheduler(beat.Scheduler):
    """Celery's, but it keeps no moment for longer than one look.

    What the clock had said, Celery would wait for also after that was set back.
    """

    def tick(self, *args: Any, **options: Any) -> float:
        """Send what is due; seconds until the next look."""
        self._heap = None
        return float(super().tick(*args, **options))
