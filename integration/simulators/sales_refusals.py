"""What Dataverse says when it refuses, read from its data file (protocols §3.9)."""

import tomllib
from pathlib import Path

from integration.simulators.http import SimulatorError

__all__ = ["refusal"]

_ROWS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))


def refusal(id: str, /, **words: object) -> SimulatorError:
    """To be raised. ``words`` fill the braces of the text."""
    row = _ROWS[id]
    return SimulatorError(row["status"], row["code"], row["text"].format(**words))
