import re
from datetime import timedelta

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from integration import clock
from integration.choices import Role
from integration.markup import parts
from integration.models import Operation, Problem, SyncError
from integration.services import cells
from integration.services.problem_history import comment
from tests.factories import make_error, make_problem, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def row() -> SyncError:
    row = make_error(problem=make_problem(title="Cause"))
    with transaction.atomic():
        cells.rebuild()
    return row


def post(client: Client, name: str, *args: object, **values: object) -> str:
    """The page that follows."""
    response = client.post(reverse(name, args=args), values, follow=True)
    return str(response.content.decode())


def test_a_selection_is_ignored_until_a_day_and_brought_back(
    operator: Client, row: SyncError
) -> None:
    day = (clock.now() + timedelta(days=3)).date().isoformat()

    page = post(operator, "errors_ignore", entry=row.pk, until=day, reason="holidays")

    row.refresh_from_db()
    assert row.state == "ignored"
    assert "1 entry ignored." in page
    assert reverse("operation_undo", args=[row.handled_by_id]) in page
    told = operator.get(reverse("operation", args=[row.handled_by_id]))
    assert "holidays" in told.content.decode()
    assert "Ignored until" in told.content.decode()

    page = post(operator, "operation_undo", row.handled_by_id)

    row.refresh_from_db()
    assert (row.state, row.handled_by) == ("open", None)
    assert "1 entry is back." in page


def ignored(operator: Client, row: SyncError, **values: object) -> Operation:
    post(operator, "errors_ignore", entry=row.pk, **values)
    return Operation.objects.get(kind="ignore")


def test_without_a_script_enter_in_a_list_is_no_act_on_its_selection(
    operator: Client, row: SyncError
) -> None:
    """Enter is the form's first button, unless that is disabled: then it is nothing."""
    page = operator.get("/errors/").content.decode()

    entries = page.partition('<form class="entries"')[2]
    first = re.search(r'<button type="submit"[^>]*>', entries)
    assert first
    assert " disabled" in first[0]


def test_an_ignored_entry_is_opened_again_from_its_own_page(
    operator: Client, row: SyncError
) -> None:
    day = (clock.now() + timedelta(days=3)).date().isoformat()
    ignoring = ignored(operator, row, until=day)
    own = reverse("error", args=[row.pk])
    button = f'action="{reverse("errors_reopen")}"'
    assert button in operator.get(own).content.decode()

    page = post(operator, "errors_reopen", entry=row.pk, next=own)

    row.refresh_from_db()
    assert (row.state, row.ignored_until) == ("open", None)
    assert "1 entry opened again." in page
    assert "Open again (in force)</a>" in page, "the history tells of it"
    assert button not in page
    undo = Operation.objects.get(kind="reopen")

    page = post(operator, "operation_undo", undo.pk)

    row.refresh_from_db()
    assert (row.state, row.handled_by) == ("ignored", ignoring)
    assert row.ignored_until is not None
    assert SyncError.objects.in_chip("ignored").count() == 1


def test_what_would_be_open_by_now_is_not_ignored_again_by_an_undo(
    operator: Client, row: SyncError
) -> None:
    ignored(operator, row)
    post(operator, "errors_reopen", entry=row.pk)
    make_error(problem=row.problem, last_seen=clock.now() + timedelta(minutes=1))

    page = post(operator, "operation_undo", Operation.objects.get(kind="reopen").pk)

    row.refresh_from_db()
    assert row.state == "open", "it was ignored until its cause grows, and that has"
    assert "1 entry is back." in page


def test_the_ignored_ones_of_a_list_are_opened_again_together(
    operator: Client, row: SyncError
) -> None:
    ignored(operator, row)
    address = reverse("errors_reopen")
    there = operator.get(reverse("errors"), {"state": "ignored"}).content.decode()
    assert f'formaction="{address}"' in there
    assert f'formaction="{address}"' not in operator.get("/errors/").content.decode()


def test_a_viewer_opens_nothing_again(operator: Client, row: SyncError) -> None:
    ignored(operator, row)
    viewer = Client()
    viewer.force_login(make_user(Role.VIEWER))

    assert viewer.post(reverse("errors_reopen"), {"entry": row.pk}).status_code == 403
    own = viewer.get(reverse("error", args=[row.pk])).content.decode()
    assert "Open again" not in own


def test_the_log_says_in_a_line_that_entries_are_ignored_until_their_cause_grows(
    operator: Client, row: SyncError
) -> None:
    post(operator, "errors_ignore", entry=row.pk)

    log = operator.get(reverse("operations")).content.decode()

    assert "until its cause grows" in log
    assert "another record fails" not in log


def test_the_page_of_a_cause_says_how_many_of_its_entries_wait_or_are_ignored(
    operator: Client, row: SyncError
) -> None:
    plain = operator.get(reverse("problem", args=[row.problem_id])).content.decode()
    assert '<span id="share"></span>' in plain, "nothing to tell, and no mark for it"
    make_error(problem=row.problem, waits_for="EUR")
    with transaction.atomic():
        cells.rebuild()
    post(operator, "errors_ignore", entry=row.pk)

    page = operator.get(reverse("problem", args=[row.problem_id])).content.decode()

    own = f"/errors/?problem={row.problem_id}&amp;state="
    assert f'<a href="{own}waiting">1 waiting for another record</a>' in page
    assert f'<a href="{own}ignored">1 ignored</a>' in page
    assert 'hx-select-oob="#live,#state,#share,#look,#actions,#open"' in page


@pytest.mark.parametrize("days", [3, None])
def test_an_ignored_entry_says_until_when(
    operator: Client, row: SyncError, days: int | None
) -> None:
    day = clock.now() + timedelta(days=days) if days else None
    until = day.date().isoformat() if day else ""
    own = reverse("error", args=[row.pk])

    page = post(operator, "errors_ignore", entry=row.pk, until=until, next=own)

    kept = SyncError.objects.get().ignored_until
    named = parts.exact(kept, "DATE_FORMAT") if kept else "its cause grows"
    listed = operator.get(reverse("errors"), {"state": "ignored"}).content.decode()
    for text in (page, listed):
        assert f"ignored until {named}</span>" in text
    assert f"Ignore (until {named})" in page


def test_the_history_of_a_cause_says_that_an_act_was_undone(
    operator: Client, row: SyncError
) -> None:
    post(operator, "errors_ignore", entry=row.pk)
    ignoring = Operation.objects.get(kind="ignore")
    Operation.objects.filter(pk=ignoring.pk).update(problem=row.problem_id)
    post(operator, "operation_undo", ignoring.pk)

    page = operator.get(reverse("problem", args=[row.problem_id])).content.decode()

    assert "Ignore</a> (undone)" in page


def test_what_had_changed_among_the_selected_is_told(
    operator: Client, row: SyncError
) -> None:
    other = make_error(problem=row.problem, state="resolved")

    page = post(operator, "errors_ignore", entry=[row.pk, other.pk])

    assert "1 entry ignored." in page
    told = "1 more selected entry had this state already, or was settled meanwhile"
    assert told in page


def test_only_of_a_deletion_french_says_that_it_was_one(
    administrator: Client, row: SyncError
) -> None:
    administrator.post("/language/", {"language": "fr-ch"})

    page = post(administrator, "errors_delete", entry=row.pk)
    assert "Annuler la suppression" in page
    post(administrator, "operation_undo", Operation.objects.get(kind="delete").pk)
    pages = [post(administrator, "errors_ignore", entry=row.pk)]
    own = reverse("operation", args=[Operation.objects.get(kind="ignore").pk])
    pages.append(administrator.get(own).content.decode())

    for page in pages:
        assert re.search(r"Annuler\s*</button>", page)
        assert "Annuler la suppression" not in page


def test_one_entry_is_resolved_from_its_own_page(
    operator: Client, row: SyncError
) -> None:
    own = reverse("error", args=[row.pk])

    page = post(operator, "errors_resolve", entry=row.pk, next=own)

    row.refresh_from_db()
    assert row.settled_reason == "resolved"
    assert "1 entry resolved." in page
    assert "Resolve by hand" in page


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"until": "yesterday"}, "This is no day: “yesterday”."),
        ({"until": "2020-01-01"}, "Choose a day that is still to come."),
        ({"entry": "x"}, "Nothing was selected."),
    ],
)
def test_nonsense_is_a_sentence(
    operator: Client, row: SyncError, sent: dict[str, str], said: str
) -> None:
    assert said in post(operator, "errors_ignore", **{"entry": row.pk, **sent})

    row.refresh_from_db()
    assert row.state == "open"


def test_an_operator_undoes_no_deletion(
    administrator: Client, operator: Client, row: SyncError
) -> None:
    post(administrator, "errors_delete", entry=row.pk)
    deletion = Operation.objects.get(kind="delete")

    page = post(operator, "operation_undo", deletion.pk)

    deletion.refresh_from_db()
    assert deletion.state == "in_force"
    assert "Only an administrator may do this." in page


def test_a_cause_is_assigned_and_commented_and_its_history_tells(
    operator: Client, row: SyncError
) -> None:
    name = {"first_name": "Marc", "last_name": "Étranger"}
    marc = make_user(Role.OPERATOR, username="marc", **name)
    asked = operator.get(reverse("problem", args=[row.problem_id])).content.decode()
    assert f'<option value="{marc.pk}">Marc Étranger</option>' in asked

    post(operator, "problem_assign", row.problem_id, assignee=marc.pk)
    post(operator, "problem_assign", row.problem_id, assignee=marc.pk)
    post(operator, "problem_comment", row.problem_id, comment="Called <Müller>.")
    page = post(operator, "problem_comment", row.problem_id, comment="Called <Müller>.")

    assert Problem.objects.get().assignee == marc
    assert page.count("Assigned to Marc Étranger.") == 1
    assert page.count("Called &lt;Müller&gt;.") == 1
    for place in ("/problems/", "/", f"/errors/{row.pk}/"):
        assert "Marc Étranger" in operator.get(place).content.decode(), place


def test_who_has_a_cause_stays_a_choice_and_a_superuser_is_one(
    operator: Client, row: SyncError
) -> None:
    gone = make_user(Role.OPERATOR, username="gone", is_active=False)
    make_user(Role.VIEWER, username="root", is_superuser=True)
    Problem.objects.update(assignee=gone)

    page = operator.get(reverse("problem", args=[row.problem_id])).content.decode()

    assert f'<option value="{gone.pk}" selected>gone</option>' in page
    assert ">root</option>" in page


def test_a_viewer_or_nobody_takes_care_of_no_cause(
    operator: Client, row: SyncError
) -> None:
    viewer = make_user(Role.VIEWER)

    said = post(operator, "problem_assign", row.problem_id, assignee=viewer.pk)
    empty = post(operator, "problem_comment", row.problem_id, comment=" ")

    assert "Nobody of that name may take care of it." in said
    assert "A comment has between 1 and 500 characters." in empty
    assert not Operation.objects.exists()


@pytest.mark.parametrize(
    ("address", "word", "state"),
    [
        ("/errors/ignore/", "Ignore 3 entries", "ignored"),
        ("/errors/resolve/", "Mark 3 entries as resolved", "resolved"),
    ],
)
def test_all_that_match_are_shown_first_and_handled_by_a_second_button(
    operator: Client, viewer: Client, address: str, word: str, state: str
) -> None:
    problem = make_problem()
    rows = [make_error(problem=problem) for _number in range(3)]
    make_error()
    place = f"{address}?problem={problem.pk}&state=relevant"
    assert viewer.post(place, {"do": "all"}).status_code == 403

    shown = operator.post(place, {"do": "all"}, follow=True)
    assert word in shown.content.decode()
    assert set(SyncError.objects.values_list("state", flat=True)) == {"open"}

    begin = f"{shown.request['PATH_INFO']}start/"
    done = operator.post(begin, {"reason": "Month-end"}, follow=True).content.decode()

    assert "3 done" in done
    assert "Month-end" in done
    changed = SyncError.objects.filter(state=state).values_list("pk", flat=True)
    assert set(changed) == {row.pk for row in rows}
    operation = Operation.objects.latest("id")
    undo = f"/operations/{operation.pk}/undo/"
    assert undo in done
    operator.post(undo)
    assert set(SyncError.objects.values_list("state", flat=True)) == {"open"}
    assert operator.get(shown.request["PATH_INFO"]).status_code == 302


def test_what_cannot_be_handled_is_said_in_a_sentence(operator: Client) -> None:
    answer = operator.post("/errors/resolve/?q=nothing", {"do": "all"}, follow=True)

    assert "Nothing matches that could be ignored or resolved." in (
        answer.content.decode()
    )
    assert operator.get("/errors/handle/999/").status_code == 404


def test_a_comment_as_long_as_its_field_is_kept_with_its_lines(
    operator: Client, row: SyncError
) -> None:
    """A line's end is two characters on its way, and one in the field."""
    text = "\n".join(["0123456789012345678"] * 25)
    assert len(text) == 499

    post(
        operator, "problem_comment", row.problem_id, comment=text.replace("\n", "\r\n")
    )

    assert Operation.objects.get(kind="comment").reason == text


def test_an_undo_leads_to_the_list_that_is_shown_by_then(
    operator: Client, row: SyncError
) -> None:
    """Its address changes with each filter, and the bar's form knows it."""
    page = post(operator, "errors_ignore", entry=row.pk)

    undo = reverse("operation_undo", args=[Operation.objects.get(kind="ignore").pk])
    assert f'<button type="submit" class="btn" form="bar" formaction="{undo}">' in page


def test_a_comment_on_the_cause_is_read_and_written_on_each_of_its_errors(
    operator: Client, row: SyncError
) -> None:
    page, other = f"/errors/{row.pk}/?who=user", make_error(problem=row.problem)
    button = f'action="{reverse("problem_comment", args=[row.problem_id])}"'
    assert button in operator.get(page).content.decode()
    post(
        operator, "problem_assign", row.problem_id, assignee=make_user(Role.OPERATOR).pk
    )

    answer = operator.post(
        reverse("problem_comment", args=[row.problem_id]),
        {"comment": "Not to <CHF>, please.", "next": page},
    )

    assert answer["Location"] == page
    for path in (page, f"/errors/{other.pk}/", f"/errors/{other.pk}/live/"):
        told = operator.get(path).content.decode()
        assert "<q>Not to &lt;CHF&gt;, please.</q>" in told
        assert "Assigned to operator" in told
        assert told.index("Not to") < told.index("Assigned to operator")


def test_a_viewer_reads_comments_and_writes_none(
    viewer: Client, row: SyncError
) -> None:
    comment(row.problem, "Please wait.", make_user(Role.OPERATOR))

    told = viewer.get(f"/errors/{row.pk}/").content.decode()

    assert "<q>Please wait.</q>" in told
    assert "Comment on the cause" not in told
