"""Rows written past Django's models hold what those would have written."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from integration.choices import JobState
from integration.models import Coupling, Job
from integration.models.bulk import add, update
from tests.factories import SOME_TIME, make_job, make_mapping

SUMMER = timezone(timedelta(hours=2))
NOON = datetime(2026, 7, 1, 12, 0, 0, 123456, tzinfo=SUMMER)


def coupled() -> Coupling:
    ids = {"bc_id": "here", "sales_id": "there"}
    return Coupling.objects.create(mapping=make_mapping(), coupled_at=SOME_TIME, **ids)


@pytest.mark.parametrize(
    "values",
    [{"name": 'Zoë "x" 東京', "all": [1, None, True]}, {"big": 2**70}, {}, None],
)
def test_what_fits_into_json_is_read_as_it_was_written(db: None, values: Any) -> None:
    coupling = coupled()

    update(Coupling, ["values"], [(values, coupling.pk)])

    coupling.refresh_from_db()
    assert coupling.values == values


def test_what_json_has_no_form_for_is_not_given_one(db: None) -> None:
    with pytest.raises(TypeError):
        update(Coupling, ["values"], [({"at": SOME_TIME}, 1)])


@pytest.mark.parametrize(
    "moment",
    [
        NOON,
        datetime(2026, 7, 1, 12, tzinfo=UTC),
    ],
)
def test_a_moment_of_any_zone_is_read_as_that_moment(
    db: None, moment: datetime
) -> None:
    coupling = coupled()

    update(Coupling, ["bc_modified_at"], [(moment, coupling.pk)])

    coupling.refresh_from_db()
    assert coupling.bc_modified_at == moment


def test_only_those_that_hold_it_are_counted_up(db: None) -> None:
    ours, lost = (make_job(make_mapping(), attempt=n, modified=5) for n in (1, 2))
    held = {"attempt": 1, "state": JobState.SUCCEEDED}

    count = add(Job, {"inserted": 3, "modified": -2}, {"heartbeat_at": NOON}, held)

    ours.refresh_from_db()
    lost.refresh_from_db()
    assert count == 1
    assert (ours.inserted, ours.modified, ours.heartbeat_at) == (3, 3, NOON)
    assert (lost.inserted, lost.modified, lost.heartbeat_at) == (0, 5, None)
