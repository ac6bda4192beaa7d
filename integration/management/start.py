"""One start of everything on one machine, from the lock to the last process's end."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.urls import reverse

from integration import clock
from integration.management.data_directory import held, prepare
from integration.management.ports import LOOPBACK, claim_port
from integration.management.signals import Signals
from integration.management.steps import Steps
from integration.management.summary import Summary
from integration.management.supervisor import Layout, Supervisor
from integration.models import User
from integration.services.demo import Administrator, make_administrator
from integration.services.sign_in import make_link_token

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """The command line of every start; ``is_check`` proves it and ends."""

    host: str = LOOPBACK
    port: int = 8000
    is_check: bool = False


class Start:
    """``serve``: the pages, worker and beat for real systems (design §10)."""

    environment: Mapping[str, str] = {}
    """What the children get besides our own environment."""

    def __init__(self, options: Options, say: Say) -> None:
        self.options = options
        self._say = say
        self._step = Steps(say).step
        self._signals = Signals()
        self._began_at = clock.now()

    def run(self) -> Summary | None:
        """Stay until Ctrl-C, or check and return the summary.

        Raises what ``data_directory``, ``ports`` and ``broker`` raise, ``StepFailed``,
        and ``KeyboardInterrupt`` for any of the signals that end it.
        """
        layout = Layout(
            settings.BASE_DIR,
            settings.DATA_DIR,
            settings.BROKER_URL_FILE,
            settings.REDIS_URL,
        )
        self._signals.install()
        prepare(layout.data)
        with ExitStack() as stack:
            stack.enter_context(held(layout.data))
            self.claim_ports(stack)
            listener = stack.enter_context(
                claim_port(self.options.port, "--port", self.options.host)
            )
            base_url = f"http://{LOOPBACK}:{listener.getsockname()[1]}"
            public = {"PUBLIC_URL": settings.PUBLIC_URL or base_url}
            with self._signals.held():
                supervisor = Supervisor(
                    layout,
                    {**self.environment, **public},
                    self._say,
                    self._signals.held,
                )
                stack.callback(self._stop, supervisor)
            with self._step("database") as step:
                step.result = migrate()
            with self._step("broker") as step:
                step.result = supervisor.start_broker()
                # Read before there was one: this process shares budgets there as well.
                settings.CELERY_BROKER_URL = supervisor.broker_url
            administrator = self.fill(supervisor)
            with self._step("web, worker, beat") as step:
                supervisor.start_web(listener)
                supervisor.start_worker()
                supervisor.start_beat()
                supervisor.wait_for_web(base_url)
                step.result = base_url
            return self.finish(supervisor, base_url, administrator)

    def _stop(self, supervisor: Supervisor) -> None:
        self._signals.ignore()
        supervisor.stop()

    def claim_ports(self, stack: ExitStack) -> None:
        """Ports besides that of the pages, until the end. Raises ``CannotListen``."""

    def fill(self, supervisor: Supervisor) -> Administrator | None:
        """What must be there before the first page is opened."""
        if User.objects.exists():
            return None
        with self._step("administrator") as step:
            administrator = make_administrator()
            step.result = administrator.user.get_username()
        return administrator

    def finish(
        self, supervisor: Supervisor, base_url: str, administrator: Administrator | None
    ) -> Summary | None:
        """Stay; ended by a signal."""
        self._say("")
        self._introduce(base_url, administrator)
        self._say("Ctrl-C ends everything.")
        self._signals.wait()

    def _introduce(self, base_url: str, administrator: Administrator | None) -> None:
        place = self._place(base_url)
        if not administrator:
            self._say(f"Open  {place}")
            return
        user = administrator.user
        word = "Open"
        if place == base_url:
            word = "or  "
            link = reverse("sign_in", args=[make_link_token(user)])
            self._say(f"Open  {base_url}{link}")
            self._say("      (signs you in once, from this machine, within 10 minutes)")
        password = administrator.password or "as it was shown at the first start"
        name = user.get_username()
        self._say(f"{word}  {place}  user: {name}  password: {password}")

    def _place(self, base_url: str) -> str:
        """Where people open the pages: here nobody speaks https."""
        if settings.HTTPS and "SYNCERRORS_HTTPS" not in self.environment:
            return settings.PUBLIC_URL or f"the proxy in front of {base_url}"
        return base_url


def migrate() -> str:
    """Bring the database to this version; what that took, or "" for nothing."""
    executor = MigrationExecutor(connection)
    is_new = not executor.loader.applied_migrations
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    call_command("migrate", verbosity=0, interactive=False)
    if is_new:
        return "made"
    done = [migration.name.partition("_")[2].replace("_", " ") for migration, _ in plan]
    return f"brought here from an earlier version: {', '.join(done)}" if done else ""
