"""Rows for every page in every state: records, causes, reviews, operations."""

from datetime import timedelta
from uuid import uuid4

from django.db import transaction
from django.utils.timezone import localtime

from integration import clock
from integration.choices import (
    CheckStep,
    Direction,
    ItemOutcome,
    JobKind,
    JobState,
    OperationKind,
    OperationState,
    Role,
)
from integration.core.outcomes import Finding
from integration.models import (
    Alert,
    AlertMessage,
    AlertRecipient,
    AlertSubject,
    Connection,
    Coupling,
    Endpoint,
    FieldMapping,
    JobEntry,
    PendingRecord,
    SyncError,
    TableMapping,
    TaughtArticle,
    User,
)
from integration.services import alert_sending, cells, cleanup, mail
from integration.services.check_lines import CheckLine, found, passed, said
from integration.services.error_filters import ErrorFilter
from integration.services.handling_of_many import prepare_handling
from integration.services.operations import record_operation
from integration.services.pauses import pause_in_storm
from integration.services.retry import NO_MAPPING, choose
from integration.services.retry_preview import prepare
from integration.services.sentences import sentence
from integration.services.storms import FAILED_ALIKE
from integration.services.teaching import teach
from tests.factories import (
    make_connection,
    make_endpoint,
    make_error,
    make_job,
    make_mapping,
    make_problem,
    make_user,
)
from tests.services.engine import Engine

CAUSES: tuple[tuple[str, dict[str, str]], ...] = (
    ("dv-missing-privilege", {"privilege": "prvWriteAccount", "right": "Write"}),
    ("bc-currency-no-exchange-rate", {"currency": "GBP"}),
    ("", {}),
)


def make_scene() -> dict[str, int]:
    """Anna, who is administrator, Vera, who is viewer, two connections, thirty errors.

    Keys of one row of each kind, by the name of its page.
    """
    make_user(
        Role.ADMINISTRATOR, username="anna", first_name="Anna", last_name="Rochat"
    )
    make_user(Role.VIEWER, username="vera")
    now = clock.now()
    connection = make_connection(
        name="Fabrique du Léman SA",
        business_central=make_endpoint(
            company_name="Müller & Söhne", check_passed=True, checked_at=now
        ),
        check_lines=[line.stored() for line in made_lines()],
    )
    paused = make_connection(
        name="Ancien compte",
        enabled=False,
        paused_at=now,
        pause_article="aad-password-must-change",
        pause_reason="The password must be changed",
    )
    currency = make_mapping("CURRENCY", connection=connection, reviewed_at=now)
    customer = make_mapping(connection=connection, position=1)
    keys = {
        "connection": connection.pk,
        "paused": paused.pk,
        "mapping": customer.pk,
        "accepted": currency.pk,
        **made_jobs(customer),
        **made_pairs(customer),
    }
    keys |= made_errors(connection, paused) | made_storm(connection)
    with transaction.atomic():
        cells.rebuild()
    make_messages(keys["problem"], customer)
    keys["taught"] = made_article().pk
    return keys | made_operations(keys["deleted"])


def made_storm(connection: Connection) -> dict[str, int]:
    """A mapping that paused because all its tries failed alike; one was not tried."""
    problem = make_problem(connection, title="Primary contact is missing", who="user")
    mapping = make_mapping(
        "CONTACT",
        connection=connection,
        reviewed_at=clock.now(),
        failing_cause=problem.fingerprint,
    )
    failed = make_error(problem=problem, mapping_key=mapping.name)
    PendingRecord.objects.create(
        mapping=mapping,
        side="business_central",
        record_id=str(uuid4()),
        next_attempt_at=clock.now(),
    )
    pause_in_storm(mapping, sentence(FAILED_ALIKE, failed=2_000, tries=2_000))
    return {"storm": problem.pk, "stormy": mapping.pk, "failed_alike": failed.pk}


def made_article() -> TaughtArticle:
    """One of an administrator's own."""
    return teach(
        TaughtArticle(
            patterns="blocked by the dunning team",
            title_en="The dunning team blocked the customer",
            title_fr="Le service du contentieux a bloqué le client",
            meaning_en="Somebody has not paid.",
            meaning_fr="Quelqu'un n'a pas payé.",
            steps_en="Ask the dunning team.",
            steps_fr="Demandez au contentieux.",
            who="user",
            category="validation",
        ),
        User.objects.get(username="anna"),
    )


def made_lines() -> list[CheckLine]:
    """In order, worth knowing, to fix with open errors; the others not looked at."""
    article, params = CAUSES[0]
    system = "Business Central"
    return [
        passed(CheckStep.HOSTS, "{system}: {host} answers.", system=system, host="bc"),
        said(CheckStep.COMPANY, "The company is “{name}”.", name="Müller & Söhne"),
        found(CheckStep.PRIVILEGES, Finding(article, params)),
    ]


def make_messages(problem: int, mapping: TableMapping) -> None:
    """One in each state, the latest of them not getting through."""
    anna = User.objects.get(username="anna")
    anna.email = "anna@example.com"
    anna.save()
    anna.subscriptions.add(mapping)
    now = clock.now()
    recipient = AlertRecipient.objects.create(channel="mail", user=anna, since=now)
    subject = AlertSubject.objects.create(problem_id=problem, stands=True, since=now)
    host = {"host": "mail.example.com"}
    away = sentence(mail.NOT_REACHED, answer="Connection refused", **host)
    answers = {
        "sent": sentence(mail.TOOK, answer="250 Queued as 4f0c", **host),
        "unknown": sentence(alert_sending.ENDED),
        "given_up": away,
        "waiting": away,
    }
    for n, (state, told) in enumerate(answers.items()):
        message = AlertMessage.objects.create(
            recipient=recipient,
            key=uuid4(),
            state=state,
            is_test=state == "sent",
            created_at=now,
            due_at=now,
            attempts=1,
            claimed_at=now + timedelta(seconds=n),
            finished_at=None if state == "waiting" else now,
            answer=told.english,
            told=told.key,
        )
        Alert.objects.create(
            recipient=recipient,
            subject=subject,
            change="appeared",
            noticed_at=now + timedelta(seconds=n),
            due_at=now,
            records=143,
            message=message,
        )


def make_nobody() -> dict[str, int]:
    """Only an administrator called anna: a fresh installation."""
    make_user(Role.ADMINISTRATOR, username="anna")
    return {}


def lengthen_names() -> None:
    """The same rows, of companies, records and people whose names are long."""
    company = "Manufacture d'horlogerie et de mécanique de précision du Haut-Lac SA"
    Connection.objects.filter(name="Fabrique du Léman SA").update(name=company)
    Connection.objects.filter(name="Ancien compte").update(
        name="Comptoir des denrées coloniales et des épices de Vevey-La Tour SA"
    )
    one_word = (
        "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbaugesellschaft mbH"
    )
    Endpoint.objects.update(company_name=one_word)
    name = (
        "Société coopérative des vignerons, encaveurs et négociants du Valais central"
    )
    SyncError.objects.exclude(bc_name="").update(
        bc_number="CUST-2026-0001234", bc_name=name, occurrences=1_234_567
    )
    SyncError.objects.exclude(sales_name="").update(sales_name=name)
    Coupling.objects.update(bc_name=name, sales_name=name)
    User.objects.filter(username="anna").update(
        first_name="Anne-Catherine", last_name="de Courvoisier-Vuilleumier-Jeanneret"
    )


def made_jobs(mapping: TableMapping) -> dict[str, int]:
    now = clock.now()
    times = {"created_at": now, "started_at": now, "finished_at": now}
    job = make_job(mapping, records_read=4_812, failed=3, modified=4_809, **times)
    plan = {"coupled": 4_812, "create_in_sales": 143, "ambiguous": 1}
    review = make_job(mapping, kind=JobKind.REVIEW, plan=plan, **times)
    candidates = [{"id": "s1", "number": "", "name": "Hotel du Leman"}]
    for kind, detail in (("ambiguous", {"candidates": candidates}), ("failed", {})):
        JobEntry.objects.create(
            job=review if detail else job,
            kind=kind,
            bc_id="b1",
            label="10250 Hôtel du Léman",
            message="It was refused.",
            detail=detail,
            created_at=now,
        )
    FieldMapping.objects.create(
        mapping=mapping, bc_field="displayName", sales_field="name", direction="both"
    )
    return {"job": job.pk, "review": review.pk}


def made_pairs(mapping: TableMapping) -> dict[str, int]:
    now = clock.now()
    coupling = Coupling.objects.create(
        mapping=mapping,
        bc_id="b1",
        sales_id="s1",
        bc_number="10250",
        bc_name="Hôtel du Léman",
        sales_name="Hôtel du Léman",
        coupled_at=now,
        values={"displayName": "Hôtel du Léman"},
    )
    PendingRecord.objects.create(
        mapping=mapping,
        side="business_central",
        record_id="b2",
        label="10260 Garage",
        skipped_at=now,
        skip_reason="It was refused five times.",
    )
    return {"coupling": coupling.pk}


def made_errors(connection: Connection, paused: Connection) -> dict[str, int]:
    now = clock.now()
    problems = [
        make_problem(connection, article=article, params=params, last_seen=now)
        for article, params in CAUSES
    ]
    shapes: list[dict[str, object]] = [
        {"sales_presence": "exists", "sales_id": "s1", "sales_name": "Hôtel"},
        {"sales_presence": "deleted", "sales_deleted_at": now, "reopened_at": now},
        {"sales_presence": "no_access"},
        {
            "sales_presence": "not_created",
            "waits_for": "EUR",
            "search_text": "Currency EUR is not coupled",
        },
        {
            "direction": Direction.TO_BUSINESS_CENTRAL,
            "sales_presence": "exists",
            "sales_id": "s2",
            "sales_number": "CV-1",
            "sales_name": "Pharmacie",
            "bc_presence": "not_created",
        },
    ]
    rows: list[SyncError] = []
    for n in range(len(problems) * len(shapes)):  # each of the ones with each other
        moment = now - timedelta(days=n)
        rows.append(
            make_error(
                problem=problems[n % 3],
                last_seen=moment,
                first_seen=moment,
                field="displayName",
                values=VALUES,
                **{"bc_presence": "exists", **shapes[n % 5]},
            )
        )
        make_error(problem=problems[n % 3], state="resolved", last_seen=moment)
    setup = make_problem(
        paused, article="aad-password-must-change", category="authentication"
    )
    make_error(problem=setup, mapping_key="", direction="", record_key="")
    rows[0].payloads.create(latest=True, request="PATCH", recorded_at=now)
    taken = make_error(problem=problems[0], last_seen=now)
    settled = make_error(
        problem=problems[0], state="resolved", last_seen=now, values=VALUES
    )
    return {
        "error": rows[0].pk,
        "settled": settled.pk,
        "problem": problems[0].pk,
        "unknown": problems[2].pk,
        "deleted": taken.pk,
    }


VALUES = {
    "business_central": {"displayName": "Hôtel du Léman", "city": "Vevey"},
    "sales": {"displayName": "Hotel Leman", "city": "Vevey"},
    "last": {"displayName": "Hôtel", "city": "Vevey"},
}


def make_answers(engine: Engine) -> dict[str, int]:
    """What a person can answer, with both systems there to read: four customers.

    One is changed on both sides, one is deleted in Sales, and one mapping is read anew.
    """
    engine.accept()
    engine.sync()
    engine.sync("CUSTOMER")
    (customer, account), (_, gone) = (engine.pair(one) for one in ANSWERED)
    engine.change(customer, phoneNumber="021 555 11 11", city="Vevey")
    engine.change(account, telephone1="022 555 22 22", address1_city="Morges")
    engine.accounts.delete(gone.id, "a person")
    engine.sync("CUSTOMER")
    errors = SyncError.objects.filter(connection=engine.connection, settled_at=None)
    found = {error.problem.article: error.pk for error in errors}
    reviewed = engine.mapping("CURRENCY")
    make_job(reviewed, kind=JobKind.REVIEW, state=JobState.RUNNING)
    reviewed.reviewed_at = None
    reviewed.save()
    with transaction.atomic():
        cells.rebuild()
    return {
        "conflict": found["conflict-both-changed"],
        "deletion": found["record-deleted-sales"],
        "reviewed": reviewed.pk,
    }


ANSWERED = ("100001", "100002")


def made_operations(error: int) -> dict[str, int]:
    deletion = cleanup.delete_selected([error], "anna", "a test entry")
    checked = record_operation(
        OperationKind.CHECK,
        by="anna",
        reason="the secret was renewed",
        scope={"name": "Fabrique du Léman SA"},
        result={"passed": False, "problems": ["rates"], "settled": 2},
    )
    noon = localtime(clock.now()).replace(hour=12)
    friday = noon - timedelta(days=(noon.weekday() - 4) % 7 or 7)
    record_operation(
        OperationKind.DELETE,
        by="Jürg Wälchli",
        reason="fin de semaine",
        scope={"older_than": 7},
        filter={"mapping": "CUSTOMER"},
        state=OperationState.UNDONE,
        rows=12,
        created_at=friday,
    )
    return {"operation": deletion.pk, "check": checked.pk, **made_retries()}


def made_retries() -> dict[str, int]:
    """One on its way with a record of every outcome, and one not asked for yet."""
    anna = User.objects.get(username="anna")
    running = record_operation(
        OperationKind.RETRY,
        by=anna,
        reason="Le taux est saisi.",
        scope={"query": {"state": "relevant", "mapping": "CUSTOMER"}},
        state=OperationState.RUNNING,
        rows=len(ItemOutcome),
    )
    errors = SyncError.objects.relevant().exclude(mapping_key="").order_by("id")
    choose(running, [error.pk for error in errors[: len(ItemOutcome)]])
    told = sentence(NO_MAPPING, name="ITEM").key
    items = running.items.order_by("id")
    for item, outcome in zip(items, ItemOutcome, strict=True):
        item.outcome = outcome
        item.problem = errors[0].problem if outcome == ItemOutcome.FAILED else None
        item.told = dict(told) if outcome == ItemOutcome.NOT_TRIED else None
        item.save()
    prepared = prepare(ErrorFilter(state="relevant"), anna)
    tried = items[list(ItemOutcome).index(ItemOutcome.PENDING)].error_id or 0
    handled = prepare_handling(
        OperationKind.IGNORE, ErrorFilter(state="relevant"), anna
    )
    keys = {"retry": running.pk, "prepared": prepared.pk, "tried": tried}
    return keys | {"handled": handled.pk}
