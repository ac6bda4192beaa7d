"""Storms in sight: the mappings a cause has stopped, and what it left untried."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db.models import Count

from integration.models import PendingRecord, Problem, TableMapping
from integration.models.mappings import TableMappingQuerySet
from integration.models.statements import Statement
from integration.services.storms import FAILED_ALIKE


@dataclass(frozen=True, slots=True)
class Halt:
    """A mapping that a storm has paused; ``untried`` records have no entry."""

    mapping: TableMapping
    untried: int


def read_halts(**chosen: Any) -> list[Halt]:
    """Every mapping that a storm has paused, or the ``chosen``; one query if none."""
    if not stopped_statement().raw():
        return []
    rows = _stopped().in_order().select_related("connection")
    found = list(rows.filter(**chosen))
    counts = _untried(found) if found else {}
    return [Halt(one, counts.get(one.pk, 0)) for one in found]


def _stopped() -> TableMappingQuerySet:
    return TableMapping.objects.filter(
        paused_at__isnull=False, pause_told__text=FAILED_ALIKE
    )


@cache
def stopped_statement() -> Statement:
    """Whether there is any, to be asked together with others."""
    return Statement.of(_stopped().order_by().values_list("id")[:1])


def halts_of(problem: Problem) -> list[Halt]:
    """What this cause has stopped."""
    return read_halts(
        connection=problem.connection_id, failing_cause=problem.fingerprint
    )


def halt_of(mapping: TableMapping) -> tuple[Halt, Problem | None] | None:
    """What has stopped this mapping, with its cause; ``None``: no storm."""
    for halt in read_halts(pk=mapping.pk):
        causes = Problem.objects.filter(
            connection=mapping.connection_id, fingerprint=mapping.failing_cause
        )
        return halt, causes.first()
    return None


def halts_by_cause() -> Mapping[tuple[int, str], list[Halt]]:
    """By connection and fingerprint."""
    found: dict[tuple[int, str], list[Halt]] = {}
    for halt in read_halts():
        mapping = halt.mapping
        key = (mapping.connection_id, mapping.failing_cause)
        found.setdefault(key, []).append(halt)
    return found


def _untried(mappings: list[TableMapping]) -> dict[int, int]:
    """A try leaves what failed behind; these are due and hold nothing."""
    rows = PendingRecord.objects.filter(
        mapping__in=mappings,
        next_attempt_at__isnull=False,
        attempts=0,
        code="",
        failure="",
    )
    return dict(rows.order_by().values_list("mapping").annotate(n=Count("pk")))
