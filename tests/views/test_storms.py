"""A storm in sight: every page that shows its cause says what waits untried."""

from dataclasses import dataclass
from uuid import uuid4

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from integration import clock
from integration.models import PendingRecord, SyncError, TableMapping
from integration.services import cells
from integration.services.pauses import pause_in_storm
from integration.services.sentences import sentence
from integration.services.storms import FAILED_ALIKE
from tests.factories import make_error, make_mapping, make_problem

SAID = {
    "en": "2,000 of 2,000 tries failed for the same cause.",
    "fr-ch": "2\u00a0000 essais sur 2\u00a0000 ont échoué pour la même cause.",
}
LEFT = {
    "en": "3 more records have not been tried.",
    "fr-ch": "3 autres enregistrements n'ont pas été essayés.",
}


@dataclass(frozen=True, slots=True)
class Stormy:
    mapping: TableMapping
    error: SyncError

    def addresses(self) -> list[str]:
        """Every page that shows the cause or the mapping."""
        return [
            reverse("overview"),
            reverse("problems"),
            reverse("errors"),
            reverse("problem", args=[self.error.problem_id]),
            reverse("error", args=[self.error.pk]),
            reverse("mapping", args=[self.mapping.pk]),
        ]


@pytest.fixture
def stormy(db: None) -> Stormy:
    """One record failed, another failed and is due again, three were never tried."""
    mapping = make_mapping(reviewed_at=clock.now(), failing_cause="a" * 64)
    problem = make_problem(mapping.connection, fingerprint="a" * 64)
    error = make_error(problem=problem)
    tried = {"attempts": 1, "failure": "No", "code": "0x1"}
    for more in (tried, tried | {"attempts": 0}, {}, {}, {}):
        PendingRecord.objects.create(
            mapping=mapping,
            side="business_central",
            record_id=str(uuid4()),
            next_attempt_at=clock.now(),
            **more,
        )
    with transaction.atomic():
        cells.rebuild()
    told = sentence(FAILED_ALIKE, failed=2_000, tries=2_000)
    assert pause_in_storm(mapping, told)
    return Stormy(mapping, error)


@pytest.mark.parametrize("language", ["en", "fr-ch"])
def test_every_page_of_the_cause_says_what_was_not_tried(
    operator: Client, stormy: Stormy, language: str
) -> None:
    for address in stormy.addresses():
        page = operator.get(address, headers={"Accept-Language": language})
        shown = page.content.decode().replace("&#x27;", "'")

        assert SAID[language] in shown, address
        assert LEFT[language] in shown, address


def test_the_overview_tells_a_storm_once(viewer: Client, stormy: Stormy) -> None:
    shown = viewer.get(reverse("overview")).content.decode()

    assert shown.count(SAID["en"]) == 1


def test_the_cause_offers_to_resume_to_those_who_may(
    operator: Client, viewer: Client, stormy: Stormy
) -> None:
    resume = f'action="{reverse("mapping_resume", args=[stormy.mapping.pk])}"'
    for address in stormy.addresses()[3:]:
        assert resume in operator.get(address).content.decode()
        assert resume not in viewer.get(address).content.decode()


def test_a_mapping_paused_for_another_reason_is_no_storm(
    viewer: Client, stormy: Stormy
) -> None:
    TableMapping.objects.update(pause_told=None, pause_reason="Maintenance")

    for address in stormy.addresses():
        assert "not been tried" not in viewer.get(address).content.decode()


def test_a_storm_that_left_nothing_untried_says_nothing_of_it(
    viewer: Client, stormy: Stormy
) -> None:
    PendingRecord.objects.filter(attempts=0, failure="").delete()

    for address in stormy.addresses():
        page = viewer.get(address).content.decode()
        assert SAID["en"] in page
        assert "not been tried" not in page


def test_a_cause_without_entries_is_not_over_while_it_holds_a_mapping(
    operator: Client, stormy: Stormy
) -> None:
    place = reverse("problem", args=[stormy.error.problem_id])
    operator.post(reverse("errors_resolve"), {"entry": stormy.error.pk})

    held = operator.get(place).content.decode()
    TableMapping.objects.update(paused_at=None)

    assert "Nothing is to be done" not in held
    assert "Nothing is to be done" in operator.get(place).content.decode()
