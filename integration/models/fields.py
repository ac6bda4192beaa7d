"""The column and the constraint that most tables have."""

from typing import Any

from django.db import models
from django.db.models.expressions import Combinable


def text(
    length: int, label: Any = None, *, choices: Any = None
) -> "models.CharField[str | int | Combinable, str]":
    """A text that may be empty, and is never null (design §5)."""
    return models.CharField(
        label, max_length=length, choices=choices, blank=True, default=""
    )


def known(
    column: str, choices: type[models.Choices], name: str
) -> models.CheckConstraint:
    """A column holds one of its choices, whoever writes it (design §5)."""
    return models.CheckConstraint(
        condition=models.Q(**{f"{column}__in": choices.values}), name=name
    )
