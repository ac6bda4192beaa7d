"""The steps of quickstart, in order; each is one line with its seconds."""

from contextlib import ExitStack
from dataclasses import dataclass

import httpx2
from django.urls import reverse
from django.utils.translation import gettext_noop

from integration import clock
from integration.choices import JobKind
from integration.management.browser import Browser, OpenedPage
from integration.management.ports import claim_port
from integration.management.start import Options, Start
from integration.management.steps import StepFailed
from integration.management.summary import Summary, summarize
from integration.management.supervisor import SimulatorOptions, Supervisor
from integration.management.words import this_process
from integration.models import Connection, Job, Look, TableMapping, User
from integration.models.jobs import ACTIVE_STATES
from integration.services.connections import CheckResult
from integration.services.demo import (
    Administrator,
    make_administrator,
    make_connections,
)
from integration.services.foreground import run_now, runnable, workers_ran
from integration.services.review import accept
from integration.services.sentences import sentence
from integration.services.sign_in import make_link_token

WORKER_SECONDS = 60.0
REST_SECONDS = 60.0
WORKER = this_process("quickstart")


@dataclass(frozen=True, slots=True)
class QuickstartOptions(Options):
    """The command line; ``records`` ``None`` is the demonstration's own number."""

    sim_port: int = 8100
    bc_data: str = ""
    records: int | None = None
    accept: bool = True

    @property
    def is_demonstration(self) -> bool:
        """With planted faults, and with people who edit on both sides."""
        return not self.bc_data and self.records is None


class Quickstart(Start):
    """With simulated systems, from nothing to a page that shows errors."""

    environment = {"SYNCERRORS_HTTPS": "0", "SYNCERRORS_DEMONSTRATION": "1"}
    options: QuickstartOptions

    def claim_ports(self, stack: ExitStack) -> None:
        claimed = claim_port(self.options.sim_port, "--sim-port")
        self._simulated = stack.enter_context(claimed)

    def fill(self, supervisor: Supervisor) -> Administrator:
        step = self._step
        options = self.options
        with step("simulators") as simulated:
            wanted = SimulatorOptions(options.bc_data, options.records)
            simulators = supervisor.start_simulators(self._simulated, wanted)
            simulated.result = simulators["authority"]
        with step("administrator") as made:
            administrator = make_administrator()
            made.result = administrator.user.get_username()
        with step("connections") as connections:
            results = make_connections(simulators, administrator.user)
            for result in results:
                if result.may_pass_by_itself:
                    raise StepFailed("connections", state_of(result))
            connections.result = "; ".join(state_of(result) for result in results)
        self._first_contact(administrator.user)
        if options.is_demonstration and options.accept:
            with step("people's edits"):
                httpx2.post(
                    f"{simulators['control_url']}/demo-edits"
                ).raise_for_status()
            self._synchronize("second sync")
        # The workers' turn: everything is due when they arrive.
        TableMapping.objects.running().update(next_run_at=clock.now())
        return administrator

    def _first_contact(self, user: User) -> None:
        """Review, acceptance (the systems are simulated) and the first run."""
        new = [one for one in _running() if one.reviewed_at is None]
        if new:
            with self._step("review") as step:
                step.result = "; ".join(self._review(mapping) for mapping in new)
        if not self.options.accept:
            return
        if new:
            why = sentence(gettext_noop("Quickstart: both systems are simulated."))
            with self._step("acceptance") as step:
                for mapping in new:
                    accept(mapping, user, why)
                step.result = "accepted, because both systems are simulated"
        self._synchronize("first sync")

    def _review(self, mapping: TableMapping) -> str:
        report = run_now(mapping, WORKER, kind=JobKind.REVIEW)
        if report.problem:
            raise StepFailed("review", f"{mapping}: {report.problem}")
        plan: dict[str, int] = next((job.plan for job in report.jobs if job.plan), {})
        told = ", ".join(f"{k.replace('_', ' ')} {n:,}" for k, n in plan.items() if n)
        return f"{mapping}: {told or 'nothing to do'}"

    def _synchronize(self, name: str) -> None:
        """Every accepted mapping of every running connection, in order.

        What pauses on the way is told, and shown by the pages; the start goes on.
        """
        with self._step(name) as step:
            written = failed = 0
            paused = []
            for mapping in _running():
                if mapping.reviewed_at is None or not _still_runs(mapping):
                    continue
                report = run_now(mapping, WORKER)
                if report.problem:
                    told = f"{mapping}: {report.problem}"
                    if _still_runs(mapping):
                        raise StepFailed(name, told)
                    paused.append(told)
                written += sum(job.inserted + job.modified for job in report.jobs)
                failed += report.failed
            counted = f"{written:,} written, {failed:,} failed"
            step.result = "; ".join([counted, *paused])

    def finish(
        self, supervisor: Supervisor, base_url: str, administrator: Administrator | None
    ) -> Summary | None:
        if administrator and self.options.is_check:
            return self._check(supervisor, base_url, administrator.user)
        return super().finish(supervisor, base_url, administrator)

    def _check(self, supervisor: Supervisor, base_url: str, user: User) -> Summary:
        with self._step("worker") as step:
            step.result = self._wait_for_worker(supervisor)
        with self._step("rest"):
            supervisor.children.stop("beat", patience_seconds=5.0)
            _wait_for_rest()
        with self._step("pages") as step:
            browser = Browser(base_url)
            try:
                pages = _open_pages(browser, user)
            finally:
                browser.close()
            step.result = f"{len(pages)} opened"
        return summarize(pages)

    def _wait_for_worker(self, supervisor: Supervisor) -> str:
        """Until a worker, not this process, has carried out each mapping's run."""
        if not self.options.accept:
            return "nothing is accepted, so nothing runs"
        deadline = clock.monotonic() + WORKER_SECONDS
        while clock.monotonic() < deadline:
            if workers_ran(_running(), self._began_at, but=WORKER):
                return "has run every mapping"
            clock.sleep(0.2)
        words = supervisor.children.last_words("worker")
        log = supervisor.children.log_of("worker")
        raise StepFailed(
            "worker",
            f"no run was carried out within {WORKER_SECONDS:.0f} s; {log} ends with: "
            f"{words or 'nothing'}",
        )


def _running() -> list[TableMapping]:
    mappings = TableMapping.objects.in_order().select_related(
        "connection__business_central", "connection__sales"
    )
    return runnable(mappings)


def _still_runs(mapping: TableMapping) -> bool:
    return TableMapping.objects.running().filter(pk=mapping.pk).exists()


def state_of(result: CheckResult) -> str:
    """Whether it runs, and what its check found."""
    connection = result.connection
    why = next((line.sentence for line in result.problems), "")
    if connection.paused_at:
        return f"{connection} paused ({why or connection.pause_reason})"
    if not connection.enabled:
        return f"{connection} not enabled ({why})"
    return f"{connection} runs ({why})" if why else f"{connection} runs"


def _wait_for_rest() -> None:
    """Until no run is active and no worker looks at records; a parked one rests."""
    deadline = clock.monotonic() + REST_SECONDS
    active = Job.objects.filter(state__in=ACTIVE_STATES, parked_until=None)
    looks = Look.objects.exclude(claim="")
    while active.exists() or looks.filter(next_at__gt=clock.now()).exists():
        if clock.monotonic() > deadline:
            raise StepFailed("rest", "a run did not end")
        clock.sleep(0.1)


def _open_pages(browser: Browser, user: User) -> list[OpenedPage]:
    """The pages a person opens first. Raises ``StepFailed`` for one that fails."""
    entered = browser.open(reverse("sign_in", args=[make_link_token(user)]))
    _refuse(entered, "the sign-in link")
    paths = [reverse("overview"), reverse("errors"), reverse("problems")]
    paths += [reverse("mappings"), reverse("jobs"), reverse("connections")]
    first = Connection.objects.first()
    if first:
        paths.append(reverse("connection", args=[first.pk]))
    pages = [browser.open(path) for path in paths]
    error = browser.follow(pages[1], r"/errors/\d+/")
    if error:
        pages.insert(2, browser.open(error))
    for page in pages:
        _refuse(page, page.url)
    return pages


def _refuse(page: OpenedPage, name: str) -> None:
    if page.status != 200:
        raise StepFailed("pages", f"{name} answered {page.status or page.text}")
    if not page.bytes:
        raise StepFailed("pages", f"{name} is empty")
