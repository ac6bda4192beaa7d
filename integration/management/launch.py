"""Runs a start to its end and says in one sentence how it ended."""

from dataclasses import dataclass

from django.db import DatabaseError

from integration.management.broker import BrokerFailed
from integration.management.data_directory import DirectoryInUse, DirectoryUnusable
from integration.management.ports import CannotListen
from integration.management.start import Start
from integration.management.steps import StepFailed
from integration.management.summary import Summary
from integration.management.words import unusable_database

STEP_FAILED = 1
COULD_NOT_START = 2
CANNOT_START = (
    BrokerFailed,
    CannotListen,
    DirectoryInUse,
    DirectoryUnusable,
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """``problem`` is one sentence, "" when all went well or somebody ended it."""

    exit_code: int = 0
    problem: str = ""
    summary: Summary | None = None


def launch(start: Start) -> Outcome:
    """Everything that was started has ended when this returns."""
    try:
        return Outcome(summary=start.run())
    except KeyboardInterrupt:
        # Ctrl-C is how a person ends it; a check that was cut short proves nothing.
        return Outcome(exit_code=STEP_FAILED if start.options.is_check else 0)
    except CANNOT_START as error:
        return Outcome(COULD_NOT_START, str(error))
    except StepFailed as error:
        code = COULD_NOT_START if error.is_start else STEP_FAILED
        return Outcome(code, str(error))
    except PermissionError as error:
        return Outcome(
            COULD_NOT_START,
            f"{error.filename} cannot be used ({error.strerror}); give the data "
            f"directory to the user that runs this.",
        )
    except DatabaseError as error:
        return Outcome(COULD_NOT_START, unusable_database(error))
