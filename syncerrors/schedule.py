"""When beat sends its one message."""

from datetime import datetime

from celery.schedules import schedstate, schedule


class Every(schedule):
    """At an interval, also after the clock was set back.

    Celery would wait until the time of the last message has come again.
    """

    def is_due(self, last_run_at: datetime) -> schedstate:
        due, wait = super().is_due(last_run_at)
        return schedstate(due or wait > self.seconds, min(wait, self.seconds))
