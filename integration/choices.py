"""Every stored word with its label: one list for models, filters, badges and tests."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class System(TextChoices):
    """The two products."""

    BUSINESS_CENTRAL = "business_central", _("Business Central")
    SALES = "sales", _("Sales")


class Direction(TextChoices):
    """Which way values travel; a mapping may do both, a job only one."""

    TO_SALES = "to_sales", _("to Sales")
    TO_BUSINESS_CENTRAL = "to_business_central", _("to Business Central")
    BOTH = "both", _("both ways")


class SignIn(TextChoices):
    """How an endpoint signs in (D8)."""

    CERTIFICATE = "certificate", _("Certificate")
    CLIENT_SECRET = "client_secret", _("Client secret")
    USER_ACCOUNT = "user_account", _("User account")


class Engine(TextChoices):
    """Who synchronizes a connection."""

    OURS = "ours", _("Sync Errors")
    BUSINESS_CENTRAL = "business_central", _("Business Central")


class ConflictPolicy(TextChoices):
    """What happens when mapped values changed on both sides."""

    NONE = "none", _("a person decides")
    BUSINESS_CENTRAL = "business_central", _("Business Central's values win")
    SALES = "sales", _("Sales' values win")
    MERGE = "merge", _("each field from the side that changed it")


class DeletionPolicy(TextChoices):
    """What happens when one of two coupled records was deleted."""

    NONE = "none", _("a person decides")
    RESTORE = "restore", _("the deleted record is created again")
    UNCOUPLE = "uncouple", _("the coupling is removed")


class Transformation(TextChoices):
    """How a value changes on its way."""

    NONE = "none", _("none")
    LOOKUP = "lookup", _("partner of the coupled record")
    EXCHANGE_RATE = "exchange_rate", _("exchange rate")


class JobKind(TextChoices):
    """Why a job reads."""

    SYNC = "sync", _("Synchronization")
    REVIEW = "review", _("Review")


class JobState(TextChoices):
    """Where a job stands."""

    QUEUED = "queued", _("queued")
    RUNNING = "running", _("running")
    SUCCEEDED = "succeeded", _("finished")
    FAILED = "failed", _("could not run")


class EntryKind(TextChoices):
    """What a job says about one record; plain updates are only counted."""

    CREATED = "created", pgettext_lazy("record", "created")
    DELETED = "deleted", pgettext_lazy("record", "deleted")
    COUPLED = "coupled", pgettext_lazy("record", "coupled")
    UNCOUPLED = "uncoupled", pgettext_lazy("record", "uncoupled")
    FAILED = "failed", _("failed")
    SKIPPED = "skipped", _("skipped")
    CONFLICT = "conflict", _("in conflict")
    AMBIGUOUS = "ambiguous", pgettext_lazy("record", "ambiguous")
    ANSWERED = "answered", _("conflict answered")


class ErrorState(TextChoices):
    """The three stored states (design §5)."""

    OPEN = "open", _("open")
    IGNORED = "ignored", _("ignored")
    RESOLVED = "resolved", pgettext_lazy("state of an error", "resolved")


class Chip(TextChoices):
    """How the list divides the errors: open ones that wait are shown apart."""

    OPEN = "open", _("Open")
    WAITING = "waiting", _("Waiting")
    IGNORED = "ignored", _("Ignored")
    RESOLVED = "resolved", _("Resolved")


class SettledReason(TextChoices):
    """Why an error is no longer relevant; empty while it is."""

    RESOLVED = "resolved", pgettext_lazy("reason", "resolved")
    REPLACED = "replaced", _("replaced")
    BOTH_DELETED = "both_deleted", _("both records deleted")


class Moment(TextChoices):
    """Which moment of an error a span of time bounds; without one: last seen."""

    FIRST_SEEN = "first_seen", _("First seen")
    CAME_BACK = "reopened", _("Came back")
    SETTLED = "settled", _("Finished")


class Origin(TextChoices):
    """Who noticed an error."""

    ENGINE = "engine", _("synchronization")
    BUSINESS_CENTRAL = "business_central", _("Business Central's log")
    SETUP_CHECK = "setup_check", _("set-up check")


class Presence(TextChoices):
    """What is known of one of the two records of an error."""

    EXISTS = "exists", _("exists")
    NOT_CREATED = "not_created", _("not created yet")
    DELETED = "deleted", pgettext_lazy("record", "deleted")
    NO_ACCESS = "no_access", _("no access")
    NONE = "none", _("no record")


class LookFound(TextChoices):
    """What a look at the records of an error found (C7)."""

    SAME = "same", _("still so")
    CHANGED = "changed", _("changed, being tried")
    GONE = "gone", _("record gone")
    NO_ACCESS = "no_access", _("no access")
    NOT_READ = "not_read", _("could not be read")


class Who(TextChoices):
    """Who can fix a cause."""

    ADMINISTRATOR = "administrator", _("Administrator")
    USER = "user", pgettext_lazy("who fixes it", "User")
    ITSELF = "itself", _("By itself")


class Category(TextChoices):
    """The kind of a cause (error-catalog)."""

    PERMISSION = "permission", _("Permission")
    CONFIGURATION = "configuration", _("Set-up")
    AUTHENTICATION = "authentication", _("Sign-in")
    CURRENCY = "currency", _("Currency")
    DEPENDENCY = "dependency", _("Missing partner")
    CONFLICT = "conflict", _("Conflict")
    DELETED = "deleted", _("Deleted record")
    DUPLICATE = "duplicate", _("Duplicate")
    VALIDATION = "validation", _("Value not accepted")
    THROTTLING = "throttling", _("Limit of calls")
    TRANSIENT = "transient", _("Passing fault")
    SCHEMA = "schema", _("Field or table")
    UNKNOWN = "unknown", _("Unknown cause")


class CheckStep(TextChoices):
    """The questions of a set-up check, in order: each needs what stands above it."""

    HOSTS = "hosts", _("Both hosts are allowed and answer")
    ENCRYPTION = "encryption", _("Both connections are encrypted")
    SIGN_IN = "sign_in", _("Both sign-ins are accepted")
    API = "api", _("Both APIs answer")
    COMPANY = "company", _("The company is there")
    ENVIRONMENT = "environment", _("The environments are there")
    USER = "integration_user", _("The integration user is enabled and licensed")
    NO_ADMINISTRATOR = (
        "not_administrator",
        _("The integration user is not an administrator"),
    )
    PRIVILEGES = "privileges", _("The integration user has every privilege it needs")
    CURRENCIES = "currencies", _("Both systems know both base currencies")
    RATES = "rates", _("Every currency in use has an exchange rate on both sides")
    SECOND_ENGINE = (
        "second_engine",
        _("Business Central's own synchronization is at rest"),
    )


class CheckState(TextChoices):
    """What one of these questions was answered, the worst first."""

    FAIL = "fail", _("to fix")
    UNCHECKED = "unchecked", _("not checked yet")
    WARN = "warn", _("worth knowing")
    OK = "ok", _("in order")


class OperationKind(TextChoices):
    """What a person, or the schedule, did."""

    RETRY = "retry", _("Retry")
    DELETE = "delete", _("Delete entries")
    IGNORE = "ignore", pgettext_lazy("an operation", "Ignore")
    RESOLVE = "resolve", _("Resolve by hand")
    REOPEN = "reopen", _("Open again")
    UNDO = "undo", pgettext_lazy("an operation", "Undo")
    AGE = "age", _("Remove old details")
    ASSIGN = "assign", _("Assign")
    COMMENT = "comment", _("Comment")
    SYNCHRONIZE = "synchronize", _("Synchronize")
    RESTORE = "restore", _("Restore")
    DELETE_RECORD = "delete_record", _("Delete a record")
    DECOUPLE = "decouple", _("Remove coupling")
    REVIEW = "review", _("Review both systems")
    ACCEPT = "accept", _("Accept a review")
    CHECK = "check", _("Check a connection")
    SET_UP = "set_up", _("Change of set-up")
    TEACH = "teach", _("Teach an article")
    USER = "user", _("Change of a user")


class OperationState(TextChoices):
    """Where an operation stands; *prepared*: shown, and not asked for yet."""

    PREPARED = "prepared", _("not begun")
    RUNNING = "running", _("running")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", pgettext_lazy("operation", "cancelled")
    IN_FORCE = "in_force", _("in force")
    UNDONE = "undone", _("undone")
    PURGING = "purging", _("being removed")
    PURGED = "purged", _("removed for good")


class Channel(TextChoices):
    """How somebody is told."""

    MAIL = "mail", _("Mail")
    WEBHOOK = "webhook", _("Webhook")


class AlertChange(TextChoices):
    """What is told of a problem or a mapping."""

    APPEARED = "appeared", _("appeared")
    CAME_BACK = "came_back", _("came back")
    HEALED = "healed", _("healed")
    RESOLVED = "resolved", _("resolved by hand")
    STANDS = "stands", _("stands")
    SILENT = "silent", _("silent")
    RUNS_AGAIN = "runs_again", _("runs again")


class Delivery(TextChoices):
    """Where a mail or post stands."""

    WAITING = "waiting", _("waiting")
    SENDING = "sending", _("being sent")
    SENT = "sent", _("sent")
    UNKNOWN = "unknown", _("not known whether it arrived")
    GIVEN_UP = "given_up", _("given up")


class ItemOutcome(TextChoices):
    """What became of one record of an operation on many.

    *Chosen* ones are not looked at yet; *pending* ones are held until they were tried.
    *Done*: ignored or resolved, as the operation says.
    """

    CHOSEN = "chosen", pgettext_lazy("record", "not begun")
    PENDING = "pending", _("being tried")
    HEALED = "healed", pgettext_lazy("record", "healed")
    DONE = "done", pgettext_lazy("record", "done")
    FAILED = "failed", _("failed again")
    NOT_TRIED = "not_tried", _("not tried")
    CHANGED = "changed", _("changed meanwhile")
    GONE = "gone", _("the entry is gone")
    CANCELLED = "cancelled", pgettext_lazy("record", "cancelled")


class Role(TextChoices):
    """What a user may do; each includes the one before."""

    VIEWER = "viewer", _("Viewer")
    OPERATOR = "operator", _("Operator")
    ADMINISTRATOR = "administrator", pgettext_lazy("role", "Administrator")


class Theme(TextChoices):
    """Light, dark, or what the reader's system says."""

    SYSTEM = "system", _("as the system")
    LIGHT = "light", _("light")
    DARK = "dark", _("dark")
