"""Connections, mappings, jobs, couplings, operations, and Django's admin."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from integration import clock
from integration.choices import JobKind, OperationKind, OperationState, Role
from integration.models import Coupling, JobEntry, Operation, TableMapping, User
from integration.services import cells
from integration.services.connections import check_connection
from integration.services.operations import record_operation
from integration.services.pauses import pause_in_storm
from integration.services.sentences import sentence
from tests.factories import (
    SOME_TIME,
    make_connection,
    make_error,
    make_job,
    make_mapping,
    make_problem,
    make_user,
)
from tests.running import Systems


def text(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


@pytest.fixture
def reviewed(db: None) -> TableMapping:
    """A mapping whose review found one ambiguous record."""
    mapping = make_mapping()
    job = make_job(
        mapping,
        kind=JobKind.REVIEW,
        plan={"coupled": 4_812, "create_in_sales": 143, "ambiguous": 1},
    )
    JobEntry.objects.create(
        job=job,
        kind="ambiguous",
        bc_id="b1",
        label="10250 Hôtel du Léman",
        detail={"candidates": [{"id": "s1", "number": "", "name": "Hotel du Leman"}]},
        created_at=SOME_TIME,
    )
    return mapping


def test_a_review_shows_counts_and_ambiguous_records_with_links(
    viewer: Client, reviewed: TableMapping
) -> None:
    page = text(viewer, reverse("mapping", args=[reviewed.pk]))

    assert "<dd>4,812</dd>" in page
    assert "%2710250%27" in page
    assert "Hotel du Leman" in page
    assert "Accept and start" not in page


def test_an_administrator_accepts_with_a_reason(
    administrator: Client, reviewed: TableMapping
) -> None:
    administrator.post(
        reverse("mapping_accept", args=[reviewed.pk]), {"reason": "looks right"}
    )

    reviewed.refresh_from_db()
    operation = Operation.objects.get(kind=OperationKind.ACCEPT)
    assert reviewed.reviewed_at is not None
    assert operation.reason == "looks right"


def test_a_review_is_ordered_from_its_page(administrator: Client, db: None) -> None:
    mapping = make_mapping()
    address = reverse("mapping", args=[mapping.pk])
    before = text(administrator, address)

    administrator.post(reverse("mapping_review", args=[mapping.pk]))
    during = text(administrator, address)

    assert "Run the review" in before
    assert "Both systems are being read" in during
    assert "Run the review" not in during


def test_a_hand_made_acceptance_of_no_plan_is_refused_in_words(
    administrator: Client, db: None
) -> None:
    mapping = make_mapping()

    page = administrator.post(
        reverse("mapping_accept", args=[mapping.pk]), follow=True
    ).content.decode()

    mapping.refresh_from_db()
    assert "There is no plan to accept yet" in page
    assert mapping.reviewed_at is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(30, "30 s"), (300, "5 min"), (5_400, "1 h 30 min"), (86_400, "24 h")],
)
@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_mapping_says_how_often_it_runs(
    viewer: Client, seconds: int, words: str, language: str
) -> None:
    mapping = make_mapping(interval_seconds=seconds)
    label = {"en": "Interval", "fr": "Intervalle"}[language]
    headers = {"accept-language": language}

    page = viewer.get(f"/mappings/{mapping.pk}/", headers=headers).content.decode()
    listed = viewer.get("/mappings/", headers=headers).content.decode()

    assert f"{label} {words}" in page
    assert f'data-label="{label}">{words}</td>' in listed


def test_a_running_review_asks_again_by_itself(viewer: Client, db: None) -> None:
    mapping = make_mapping()
    make_job(mapping, kind=JobKind.REVIEW, state="running", records_read=1_200)
    address = reverse("mapping", args=[mapping.pk])

    page = text(viewer, address)
    part = viewer.get(address, headers={"HX-Request": "true", "HX-Target": "review"})

    assert "1,200 records so far" in page
    assert 'hx-trigger="load delay:3s"' in page
    assert b"<html" not in part.content


@pytest.mark.parametrize(("enabled", "asks"), [(True, True), (False, False)])
def test_a_review_that_has_yet_to_begin_is_awaited(
    viewer: Client, enabled: bool, asks: bool
) -> None:
    mapping = make_mapping(connection=make_connection(enabled=enabled))

    page = text(viewer, reverse("mapping", args=[mapping.pk]))

    assert "The review has not run yet." in page
    assert ('hx-trigger="load delay:3s"' in page) is asks


def test_the_log_tells_the_day_of_the_week_and_what_was_deleted(
    viewer: Client,
) -> None:
    record_operation(
        OperationKind.DELETE,
        by="Jürg",
        reason="why",
        scope={"older_than": 7},
        filter={"mapping": "CUSTOMER"},
        state=OperationState.UNDONE,
        created_at=datetime(2026, 11, 20, 16, 12, tzinfo=UTC),
    )

    english = text(viewer, reverse("operations"))
    french = viewer.get(reverse("operations"), headers={"accept-language": "fr-CH"})

    assert "entries older than 7 days, mapping CUSTOMER" in english
    assert "Friday <time" in english
    assert "vendredi <time" in french.content.decode()


def test_a_paused_connection_says_why_and_is_resumed_with_a_reason(
    administrator: Client,
) -> None:
    paused = make_connection(paused_at=SOME_TIME, pause_reason="Month-end")
    address = reverse("connection", args=[paused.pk])

    before = text(administrator, address)
    administrator.post(
        reverse("connection_resume", args=[paused.pk]), {"reason": "done"}
    )

    paused.refresh_from_db()
    assert "Month-end" in before
    assert paused.paused_at is None
    assert Operation.objects.get().reason == "done"


def test_what_a_failure_paused_only_a_passed_check_resumes(
    administrator: Client, systems: Systems
) -> None:
    [connected] = systems.connect(make_user())
    systems.break_something("aad-secret-expired")
    check_connection(connected)
    address = reverse("connection", args=[connected.pk])
    resume = reverse("connection_resume", args=[connected.pk])
    before = text(administrator, address)

    refused = administrator.post(resume, {"reason": "try"}, follow=True)
    connected.refresh_from_db()
    paused_at = connected.paused_at
    systems.repair()
    administrator.post(resume, {"reason": "done"})

    assert "Check and resume" in before
    assert "The check found something to fix." in refused.content.decode()
    assert paused_at is not None
    connected.refresh_from_db()
    assert connected.paused_at is None


@pytest.mark.parametrize(
    ("reason", "told", "why"),
    [
        ("Month-end", "Month-end", "Month-end"),
        ("", "it was paused by hand", "Paused by hand."),
    ],
)
def test_an_administrator_pauses_a_connection_and_says_why(
    administrator: Client, reason: str, told: str, why: str
) -> None:
    connection = make_connection()

    page = administrator.post(
        reverse("connection_pause", args=[connection.pk]),
        {"reason": reason},
        follow=True,
    ).content.decode()

    connection.refresh_from_db()
    assert connection.paused_at
    assert told in page
    assert "The connection is paused until somebody resumes it." in page
    assert Operation.objects.get().reason == why


def test_an_empty_secret_is_not_saved(administrator: Client) -> None:
    connection = make_connection()
    endpoint = connection.sales

    response = administrator.post(
        reverse("connection_secret", args=[connection.pk, endpoint.pk]), follow=True
    )

    assert "Nothing was saved" in response.content.decode()


@pytest.mark.parametrize("odd_day", ["soon", "0001-01-01"])
def test_the_day_a_new_secret_ends_is_kept_with_it(
    administrator: Client, systems: Systems, odd_day: str
) -> None:
    (connection,) = systems.connect(make_user())
    endpoint = connection.sales
    place = reverse("connection_secret", args=[connection.pk, endpoint.pk])
    (app,) = systems.store.table("entra:apps").rows()
    names = {n: f"endpoint-{endpoint.pk}-{n}" for n in ("secret", "expires")}

    odd = {names["secret"]: app.values["secret"], names["expires"]: odd_day}
    refused = administrator.post(place, odd, follow=True).content.decode()
    administrator.post(place, odd | {names["expires"]: "2027-11-01"})

    endpoint.refresh_from_db()
    assert "no day on which a secret ends" in refused
    assert endpoint.secret_expires_at == datetime(2027, 11, 1, tzinfo=UTC)


def test_a_secret_goes_only_to_the_connections_own_systems(
    administrator: Client,
) -> None:
    connection, other = make_connection(), make_connection()

    response = administrator.post(
        reverse("connection_secret", args=[connection.pk, other.sales.pk])
    )

    assert response.status_code == 404


def test_a_stored_secret_is_never_on_the_page(administrator: Client) -> None:
    connection = make_connection()
    connection.sales.secret = "encrypted-text"
    connection.sales.save()

    page = text(administrator, reverse("connection", args=[connection.pk]))

    assert "encrypted-text" not in page


def test_jobs_page_by_key_and_filter_by_state(viewer: Client, db: None) -> None:
    mapping = make_mapping()
    for _n in range(60):
        make_job(mapping)

    first = viewer.get("/jobs/")
    older = viewer.get(f"/jobs/?after={first.context['page'].older}")
    failed = text(viewer, "/jobs/?state=failed")

    assert [len(one.context["page"].rows) for one in (first, older)] == [50, 10]
    assert "No job matches." in failed


@pytest.mark.parametrize("path", ["/jobs/", "/couplings/", "/operations/"])
@pytest.mark.parametrize("query", ["after=x", "before=-1", "after=" + "9" * 40])
def test_nonsense_in_other_lists_is_left_out_with_a_notice(
    viewer: Client, path: str, query: str
) -> None:
    assert "left out:" in text(viewer, f"{path}?{query}")


def test_a_coupling_links_both_records(viewer: Client, db: None) -> None:
    mapping = make_mapping()
    coupling = Coupling.objects.create(
        mapping=mapping,
        bc_id="b1",
        sales_id="s1",
        bc_number="10250",
        bc_name="Hôtel",
        sales_name="Hôtel SA",
        coupled_at=SOME_TIME,
        values={"displayName": "Hôtel"},
    )

    for address in ("/couplings/", reverse("coupling", args=[coupling.pk])):
        page = text(viewer, address)
        assert "%2710250%27" in page
        assert "etn=account" in page


def test_the_list_by_cause_links_each_count_to_its_rows(
    viewer: Client, db: None
) -> None:
    problem = make_problem(title="Out of order")
    make_error(problem=problem)
    with transaction.atomic():
        cells.rebuild()

    page = text(viewer, "/problems/")

    assert f"/errors/?problem={problem.pk}&amp;state=relevant" in page
    assert "1 cause, " in page
    assert 'state=relevant">1 record out of step</a>' in page


@pytest.mark.parametrize("model", ["syncerror", "coupling", "job"])
def test_the_admin_is_read_only_and_counts_nothing(viewer: Client, model: str) -> None:
    mapping = make_mapping()
    make_error(problem=make_problem(mapping.connection), bc_presence="exists")
    make_job(mapping)

    page = text(viewer, f"/admin/integration/{model}/")
    added = viewer.post(f"/admin/integration/{model}/add/")

    assert "integration" in page
    assert added.status_code == 403


def test_the_admins_errors_lead_to_the_same_previews(administrator: Client) -> None:
    page = text(administrator, "/admin/integration/syncerror/")

    assert "/errors/cleanup/?older_than=7" in page
    assert "/errors/cleanup/?all=1" in page


def test_a_viewer_is_told_who_deletes_entries(viewer: Client) -> None:
    page = text(viewer, "/errors/")

    assert "/errors/cleanup/" not in page
    assert "Only operators and administrators change entries." in page
    assert "/errors/cleanup/" not in text(viewer, "/admin/integration/syncerror/")


def test_the_admin_pages_by_key(viewer: Client) -> None:
    mapping = make_mapping()
    for _n in range(60):
        make_job(mapping)

    first = viewer.get("/admin/integration/job/")
    second = viewer.get(f"/admin/integration/job/{first.context['cl'].older}")

    assert len(first.context["cl"].result_list) == 50
    assert len(second.context["cl"].result_list) == 10


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_only_administrators_make_users(db: None, role: Role) -> None:
    client = Client()
    client.force_login(make_user(role))

    statuses = {
        client.get("/admin/integration/user/").status_code,
        client.post("/admin/integration/user/add/").status_code,
        client.post("/admin/password_change/").status_code,
        client.get("/admin/password_change/done/").status_code,
    }

    assert statuses == {403, 404}


def test_making_a_user_is_an_operation_with_who_and_why(
    administrator: Client,
) -> None:
    administrator.post(
        "/admin/integration/user/add/",
        {
            "username": "luc",
            "usable_password": "true",
            "password1": "correct-horse-9",
            "password2": "correct-horse-9",
            "role": "operator",
            "reason": "joins the team",
        },
    )

    operation = Operation.objects.get(kind=OperationKind.USER)
    assert User.objects.get(username="luc").role == Role.OPERATOR
    assert operation.reason == "joins the team"
    assert "correct-horse" not in str(operation.result)


def test_a_user_is_not_changed_without_a_reason(administrator: Client) -> None:
    user = make_user(Role.VIEWER, username="vera")

    administrator.post(
        f"/admin/integration/user/{user.pk}/change/",
        {"username": "vera", "role": "administrator", "is_active": "on"},
    )

    user.refresh_from_db()
    assert user.role == Role.VIEWER
    assert not Operation.objects.exists()


def test_the_last_administrator_stays_one(administrator: Client) -> None:
    anna = User.objects.get(role=Role.ADMINISTRATOR)

    response = administrator.post(
        f"/admin/integration/user/{anna.pk}/change/",
        {
            "username": anna.username,
            "role": "viewer",
            "is_active": "on",
            "reason": "x",
        },
    )

    anna.refresh_from_db()
    assert "last administrator" in response.content.decode()
    assert anna.role == Role.ADMINISTRATOR


def test_the_last_administrator_keeps_a_password(administrator: Client) -> None:
    """Without one nobody comes in any more."""
    anna = User.objects.get(role=Role.ADMINISTRATOR)
    make_user(Role.ADMINISTRATOR, username="gone", is_active=False)
    without = make_user(Role.ADMINISTRATOR, username="without")
    without.set_unusable_password()
    without.save()

    response = administrator.post(
        f"/admin/integration/user/{anna.pk}/password/",
        {"usable_password": "false", "unset-password": "1", "reason": "x"},
    )

    anna.refresh_from_db()
    assert "last administrator" in response.content.decode()
    assert anna.has_usable_password()


def test_who_the_command_line_made_is_what_the_page_says(
    administrator: Client,
) -> None:
    root = User.objects.create_superuser("root", password="secret")
    page = text(administrator, "/users/")
    assert page.count('data-label="Role">Administrator') == 2

    administrator.post(
        f"/admin/integration/user/{root.pk}/change/",
        {"username": "root", "role": "viewer", "is_active": "on", "reason": "left"},
    )

    root.refresh_from_db()
    assert root.role == Role.VIEWER
    assert not root.is_administrator


def test_a_new_password_is_an_operation(administrator: Client) -> None:
    user = make_user(Role.VIEWER)
    page = text(administrator, f"/admin/integration/user/{user.pk}/password/")
    # Whoever fills in the page has nothing but its fields.
    assert {"password1", "password2", "reason"} <= set(re.findall('name="(.*?)"', page))

    administrator.post(
        f"/admin/integration/user/{user.pk}/password/",
        {
            "usable_password": "true",
            "password1": "correct-horse-9",
            "password2": "correct-horse-9",
            "reason": "forgotten",
        },
    )

    user.refresh_from_db()
    assert user.check_password("correct-horse-9")
    assert Operation.objects.get().reason == "forgotten"


def test_articles_and_short_pages_open(viewer: Client) -> None:
    for address in ("/articles/", "/articles/dv-missing-privilege/", "/setup/"):
        assert "<h1" in text(viewer, address)
    assert viewer.get("/articles/nonsense/").status_code == 404


def test_what_no_catalogue_of_ours_translates_is_not_in_english(
    administrator: Client,
) -> None:
    administrator.post("/language/", {"language": "fr-ch"})

    assert "The VAT number" not in text(administrator, "/articles/")
    assert "blocked for" not in text(administrator, "/articles/bc-dialog/")
    assert 'alt="Search"' not in text(administrator, "/admin/integration/user/")


def test_set_up_marks_where_one_is(viewer: Client) -> None:
    assert 'href="/mappings/" aria-current="page"' in text(viewer, "/mappings/")


def test_a_connection_was_checked_in_the_feminine(viewer: Client) -> None:
    connection = make_connection(checked_at=clock.now() - timedelta(minutes=9))

    page = viewer.get(
        f"/connections/{connection.pk}/", headers={"accept-language": "fr"}
    )

    assert "Contrôlée il y a" in re.sub(r"<[^>]*>", "", page.content.decode())


def test_a_paused_connection_is_named_on_every_page(viewer: Client) -> None:
    paused = make_connection(name="Léman Boutique", paused_at=SOME_TIME)

    page = text(viewer, "/jobs/")

    assert f'href="/connections/{paused.pk}/" title="Léman Boutique"' in page
    assert "is paused" in page
    assert "does not answer" not in page


def test_an_operator_resumes_a_mapping_that_a_storm_has_paused(
    operator: Client, viewer: Client, reviewed: TableMapping
) -> None:
    why = sentence(
        "{failed} of {tries} tries failed for the same cause.", failed=2000, tries=2000
    )
    pause_in_storm(reviewed, why)
    page = reverse("mapping", args=[reviewed.pk])
    assert "Resume and try 10" not in text(viewer, page)
    assert "2,000 of 2,000 tries failed for the same cause." in text(operator, page)
    operator.cookies["django_language"] = "fr-ch"
    french = operator.get(page, HTTP_ACCEPT_LANGUAGE="fr-CH").content.decode()
    assert "2\N{NO-BREAK SPACE}000 essais sur 2\N{NO-BREAK SPACE}000" in french

    operator.post(reverse("mapping_resume", args=[reviewed.pk]), {"reason": "fixed"})

    reviewed.refresh_from_db()
    assert reviewed.paused_at is None
    assert Operation.objects.latest("id").reason == "fixed"


def test_an_administrator_pauses_a_mapping_and_every_page_says_so(
    administrator: Client, operator: Client, reviewed: TableMapping
) -> None:
    page = reverse("mapping", args=[reviewed.pk])
    pause = reverse("mapping_pause", args=[reviewed.pk])
    assert pause not in text(operator, page)
    assert pause in text(administrator, page)

    administrator.post(pause, {"reason": "Month-end"})

    assert "Paused: Month-end" in text(administrator, page)
    assert f"{reviewed.name}</a> is paused: Month-end" in text(administrator, "/")
    assert f'href="{page}" title="{reviewed.name}"' in text(administrator, "/jobs/")
    assert "paused" in text(administrator, "/mappings/")
    resume = reverse("mapping_resume", args=[reviewed.pk])
    assert resume not in text(operator, page)
    operator.post(resume)
    assert TableMapping.objects.exclude(paused_at=None).get() == reviewed

    administrator.post(resume)

    assert not TableMapping.objects.exclude(paused_at=None).exists()
    assert "Resume and try 10" not in text(administrator, page)


@pytest.mark.parametrize(
    ("language", "off", "on"),
    [
        ("en", "Nothing is deleted by schedule", "more than 90 days ago are deleted"),
        ("fr", "Rien n'est supprimé automatiquement", "plus de 90 jours"),
    ],
)
def test_the_page_of_retention_says_whether_a_schedule_deletes(
    viewer: Client, settings: Settings, language: str, off: str, on: str
) -> None:
    def page() -> str:
        answer = viewer.get("/retention/", headers={"accept-language": language})
        return unescape(answer.content.decode())

    assert off in page()
    settings.RETENTION_DAYS = 90
    assert off not in page()
    assert on in page()


def test_the_admin_tells_mappings_of_one_name_by_their_connection(
    administrator: Client,
) -> None:
    for name in ("Fabrique du Léman SA", "Manufacture Jurassienne SA"):
        make_mapping("CUSTOMER", connection=make_connection(name=name))

    for page in ("coupling", "job"):
        shown = text(administrator, f"/admin/integration/{page}/")

        assert "CUSTOMER, Fabrique du Léman SA" in shown
        assert "CUSTOMER, Manufacture Jurassienne SA" in shown


def test_the_admin_says_the_state_of_an_error_once(administrator: Client) -> None:
    error = make_error(waits_for="EUR")

    shown = text(administrator, f"/admin/integration/syncerror/{error.pk}/change/")

    assert shown.count("State:") == 1


def test_the_admin_says_the_state_of_one_error_in_the_singular(
    administrator: Client,
) -> None:
    make_error()
    make_error(waits_for="EUR")

    shown = administrator.get(
        "/admin/integration/syncerror/", headers={"accept-language": "fr-CH"}
    ).content.decode()

    assert '<td class="field-stands">ouverte</td>' in shown
    assert '<td class="field-stands">attend EUR</td>' in shown
