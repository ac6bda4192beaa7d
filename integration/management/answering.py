"""What the commands share that answer and end."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.utils import timezone

from integration import clock
from integration.choices import System
from integration.connectors.auth import SIGN_IN
from integration.connectors.calls import Call
from integration.connectors.transport import UNANSWERED
from integration.management.command import OurCommand
from integration.management.log_aside import log_aside
from integration.management.words import bad_days_in_words


class AnsweringCommand(OurCommand):
    """Its answer on standard output, sentences for people beside it, the log apart."""

    def add_arguments(self, parser: CommandParser) -> None:
        # manage.py reads it, before the settings do.
        parser.add_argument("--data", metavar="DIR", help="the data directory")
        parser.add_argument("--json", action="store_true")

    def execute(self, *args: Any, **options: Any) -> str | None:
        with (
            log_aside(settings.DATA_DIR, options["verbosity"]),
            bad_days_in_words(),
            self._telling_who_is_silent(),
        ):
            try:
                return super().execute(*args, **options)
            finally:
                # What cannot be written any more is told here, not while Python ends.
                sys.stdout.flush()

    @contextmanager
    def _telling_who_is_silent(self) -> Iterator[None]:
        """One line for each system that does not answer, until it is given up."""
        told: dict[str, datetime] = {}

        def tell(call: Call, seconds: float) -> None:
            now, name = clock.now(), str(System(call.system).label)
            if call.operation == SIGN_IN:
                name = f"The sign-in for {name}"
            if told.get(name, now) > now:
                return
            until = told[name] = now + timedelta(seconds=seconds)
            self.stderr.write(
                f"{name} does not answer ({call.operation}); if nothing comes, it is "
                f"given up at {timezone.localtime(until):%H:%M:%S}."
            )

        before = UNANSWERED.set(tell)
        try:
            yield
        finally:
            UNANSWERED.reset(before)
