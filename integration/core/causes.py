"""Cause: what a failure comes down to; errors with one fingerprint are one problem."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Cause:
    """The cause of a failure or finding (design §5).

    ``article`` is "" for an unknown cause. ``params`` are the culprits named in the
    title ({"currency": "EUR"}). ``title`` is the English sentence. ``category`` and
    ``who`` are values of ``choices.Category`` and ``choices.Who``. ``fingerprint`` (64
    hex digits) is that of the cause, never of mapping, direction, record or language;
    versioned.
    """

    fingerprint: str
    title: str
    article: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    category: str = "unknown"
    who: str = "administrator"
