"""Every setting, read once from the environment.

A value may also come from a file: ``NAME_FILE=/run/secrets/name`` for ``NAME``.
``docs/administrators/settings.md`` explains each of them to an administrator.
"""

import os
import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import parse_qsl, quote, urlencode, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import environ
from cryptography.fernet import Fernet
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from environ.fileaware_mapping import FileAwareMapping

from syncerrors.schedule import Every

BASE_DIR = Path(__file__).resolve().parent.parent


class Variables(FileAwareMapping):
    """Variables, or the files they name, without the line break that ends a file."""

    def __getitem__(self, key: str) -> str:
        try:
            return str(super().__getitem__(key)).strip()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", "") or "it is no text"
            raise ImproperlyConfigured(
                f"The file that {key}_FILE names cannot be read ({why}); "
                f"make it readable, or set {key} itself."
            ) from error


env = environ.Env()
env.ENVIRON = Variables(env=os.environ)


def flag(name: str, default: bool) -> bool:
    """A yes or no; anything but a plain spelling of it stops the start."""
    value = str(env.str(name, default="1" if default else "0")).strip().lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value not in {"0", "false", "no", "off"}:
        refuse(name, value, "1 or 0")
    return False


def whole_number(name: str, default: int, minimum: int) -> int:
    """A whole number with a lower bound."""
    value = env.str(name, default=str(default)).strip()
    plain = value.isascii() and value.isdigit()
    if not plain or int(value) < minimum:
        refuse(name, value, f"a whole number of at least {minimum}")
    return int(value)


def refuse(name: str, value: str, wanted: str) -> NoReturn:
    """Stop the start: this value makes no sense."""
    raise ImproperlyConfigured(f"{name} is “{value}”; set it to {wanted}.")


def one_of(name: str, default: str, allowed: Collection[str]) -> str:
    """One of a few words, in capitals."""
    value = str(env.str(name, default=default)).strip()
    if value.upper() not in allowed:
        refuse(name, value, f"one of {', '.join(allowed)}")
    return value.upper()


def time_zone(name: str, default: str) -> str:
    """A zone of the calendar's data."""
    value = str(env.str(name, default=default))
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        refuse(name, value, "the name of a time zone, such as Europe/Zurich")
    return value


def database() -> dict[str, Any]:
    """What ``DATABASE_URL`` says to Django; a password is not repeated."""
    given = str(env.str("DATABASE_URL", default=""))
    if not given:
        # No address is made of the path: "#", "?", "%" and "+" mean something in one.
        place = DATA_DIR / "syncerrors.sqlite3"
        require_begun(place)
        with usable_directory():
            DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(place)}
    try:
        if given.startswith(DATABASE_SCHEMES) and not _is_in_memory(given):
            found = dict(env.db_url_config(given))
            if found["NAME"] or "service" in found.get("OPTIONS", {}):
                require_named(found)
                return found
    except ValueError:
        pass  # said below
    shown = given.rpartition("@")[2]
    wanted = "an address such as postgres://user@host/name or sqlite:////folder/file"
    refuse("DATABASE_URL", shown, wanted)


def _is_in_memory(given: str) -> bool:
    """Where each process would have its own; what stands like a host means that too."""
    parts = urlsplit(given)
    nowhere = parts.netloc or parts.path.strip("/") in {"", ":memory:"}
    return parts.scheme == "sqlite" and bool(nowhere)


def redis_address() -> str:
    """``REDIS_URL``; "" is the embedded broker."""
    given = str(env.str("REDIS_URL", default=""))
    if given and not (given.startswith(REDIS_SCHEMES) and _is_address(given)):
        shown = given.rpartition("@")[2]
        refuse("REDIS_URL", shown, "an address such as redis://host:6379/0")
    return verified(given) if given.startswith("rediss://") else given


def verified(given: str) -> str:
    """An encrypted address that says how its server is verified, as all read it.

    Where it says nothing Celery would verify nobody, and the budgets' client everybody;
    Celery's own spelling is one that the other does not know.
    """
    parts = urlsplit(given)
    options = dict(parse_qsl(parts.query))
    wanted = options.get("ssl_cert_reqs", "required")
    chosen = wanted.removeprefix("CERT_").lower()
    if chosen not in CERTIFICATES:
        refuse(
            "ssl_cert_reqs of REDIS_URL", wanted, f"one of {', '.join(CERTIFICATES)}"
        )
    options["ssl_cert_reqs"] = chosen
    return parts._replace(query=urlencode(options)).geturl()


def _is_address(given: str) -> bool:
    """Of one server: those of several, and a socket's, are the library's to read."""
    if not given.startswith(("redis://", "rediss://")):
        return True
    try:
        parts = urlsplit(given)
        number = parts.path.strip("/")
        return parts.port != 0 and (not number or number.isdecimal())
    except ValueError:  # of the port, or of a bracket that is not closed
        return False


DATABASE_SCHEMES = ("sqlite:", "postgres:", "postgresql:")
REDIS_SCHEMES = ("redis://", "rediss://", "redis+socket://")
CERTIFICATES = ("required", "optional", "none")


def kept_key(name: str, fresh: str) -> str:
    """A key from the environment, else from a 0600 file of the data directory.

    The first start on a new data directory writes that file.
    """
    given = env.str(name, default="")
    if given:
        return str(given)
    file = DATA_DIR / name.lower()
    require_begun(file)
    try:
        with usable_directory():
            DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not file.exists():
                write_once(file, fresh)
            return file.read_text(encoding="ascii").strip()
    except UnicodeDecodeError as error:
        raise ImproperlyConfigured(
            f"{file} holds something that is no key; put back what was in it."
        ) from error


@contextmanager
def usable_directory() -> Iterator[None]:
    """What cannot be done in the data directory stops the start in one sentence."""
    try:
        yield
    except OSError as error:
        raise ImproperlyConfigured(
            f"the data directory {DATA_DIR} cannot be used ({error.strerror}); "
            f"make it writable, or set SYNCERRORS_DATA_DIR to another folder."
        ) from error


def write_once(file: Path, text: str) -> None:
    """Make it, whole and private; who comes second, or to a full disk, leaves none."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as target:
            target.write(text)
        try:
            os.link(draft, file)
        except FileExistsError:
            pass
        except OSError:  # a file system on which a file has one name
            draft.rename(file)
    finally:
        draft.unlink(missing_ok=True)


def data_directory() -> Path:
    """Where everything lies; a name that is no text fits into no address."""
    given = str(env.str("SYNCERRORS_DATA_DIR", default=""))
    place = Path(given or str(BASE_DIR / "data")).absolute()
    try:
        str(place).encode()
    except UnicodeEncodeError:
        refuse("SYNCERRORS_DATA_DIR", ascii(given), "a folder whose name is UTF-8")
    return place


def require_begun(file: Path) -> None:
    """Stop a command that only answers where there is nothing to answer from."""
    try:
        if not MAY_BEGIN:
            file.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise ImproperlyConfigured(
            f"nothing has begun in the data directory {DATA_DIR} (it has no "
            f"{file.name}); name the right one with SYNCERRORS_DATA_DIR or --data, "
            "or begin with “manage.py quickstart”, “serve” or “migrate”."
        ) from None
    except OSError:
        pass  # whoever opens it says why that cannot be


def require_named(database: dict[str, Any]) -> None:
    """Stop such a command where ``DATABASE_URL`` names a file that is not there."""
    place = Path(database["NAME"]).absolute()
    is_file = database["ENGINE"].endswith("sqlite3")
    if is_file and not MAY_BEGIN and not place.exists():
        raise ImproperlyConfigured(
            f"there is no database {place}; correct DATABASE_URL, or begin with "
            "“manage.py quickstart”, “serve” or “migrate”."
        )


def secret_key() -> str:
    """What signs sessions; too short a one is not repeated."""
    name = "SECRET_KEY"
    key = kept_key(name, secrets.token_urlsafe(50))
    if len(key) < SHORTEST_SECRET:
        longer = f"{SHORTEST_SECRET} random characters or more"
        place, cure = name, f"set it to {longer}"
        if not env.str(name, default=""):
            place = str(DATA_DIR / name.lower())
            cure = f"write {longer} into it, or delete it to get a new one"
        raise ImproperlyConfigured(
            f"{place} is too short to sign sessions safely; {cure}."
        )
    return key


def credential_keys() -> list[str]:
    """Of the environment or the data directory; what is no key is not repeated."""
    name = "CREDENTIAL_KEYS"
    kept = kept_key(name, Fernet.generate_key().decode())
    keys = [key.strip() for key in kept.split(",")]
    try:
        for key in keys:
            Fernet(key)
    except ValueError:
        place = name if env.str(name, default="") else DATA_DIR / name.lower()
        raise ImproperlyConfigured(
            f"{place} holds something that is no Fernet key; one or more of them "
            "belong there, separated by commas."
        ) from None
    return keys


# --- Where things are ---------------------------------------------------------
DATA_DIR = data_directory()

MAY_BEGIN = flag("SYNCERRORS_MAY_BEGIN", default=True)
"""Off for commands that only answer: what is not there is not made by them."""

# --- Safety -------------------------------------------------------------------
DEBUG = flag("DEBUG", default=False)
SHORTEST_SECRET = 32
SECRET_KEY = secret_key()
CREDENTIAL_KEYS = credential_keys()
"""Fernet keys for stored credentials; the first encrypts, all decrypt (D13)."""

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
ALLOWED_REMOTE_HOSTS = env.list(
    "ALLOWED_REMOTE_HOSTS",
    default=[
        "api.businesscentral.dynamics.com",
        "businesscentral.dynamics.com",
        "login.microsoftonline.com",
        ".dynamics.com",
    ],
)
"""Hosts an endpoint may point to; a leading dot allows every host below it."""

HTTPS = flag("SYNCERRORS_HTTPS", default=True)
"""Off only where nothing but this machine can reach the pages (quickstart)."""
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
BEHIND_PROXY = flag("SYNCERRORS_BEHIND_PROXY", default=False)
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
"""Who may read /metrics from elsewhere; without it only this machine may."""
SIGN_IN_LIMITS = {"pair": 5, "name": 50, "address": 30}
"""Failed sign-ins in a quarter of an hour: of a name from one address, of a name, of an
address."""
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576
DATA_UPLOAD_MAX_NUMBER_FIELDS = 300

# --- Django -------------------------------------------------------------------
INSTALLED_APPS = [
    "integration.apps.IntegrationConfig",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_filters",
    "django_htmx",
    "django_tables2",
    "lucide",
    "csp",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "integration.http.SignInMiddleware",
    "integration.http.PreferencesMiddleware",
    "integration.http.VisitMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "syncerrors.urls"
WSGI_APPLICATION = "syncerrors.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "integration.http.shell",
            ],
        },
    }
]
_MEMORY = "django.core.cache.backends.locmem.LocMemCache"
_FORGETFUL = "django.core.cache.backends.dummy.DummyCache"
CACHES = {
    "default": {"BACKEND": _MEMORY},
    # Parts of pages by the words and counts they are drawn from: never out of date.
    "template_fragments": {
        "BACKEND": _FORGETFUL if DEBUG else _MEMORY,
        "LOCATION": "template_fragments",
        "OPTIONS": {"MAX_ENTRIES": 2_000},
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "integration.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "overview"
LOGOUT_REDIRECT_URL = "login"

# --- Database -----------------------------------------------------------------
DATABASE_SECONDS = 10
"""So long a server may take to let us in, if its address does not say otherwise."""
DATABASES = {"default": database()}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["ENGINE"] = "syncerrors.sqlite"
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        # 192 MB of changes go to the database at once: a page that many of them touch
        # is written there once, not after every thousand pages. 16 MB of pages are
        # kept: fifty rows of the list are some hundred of them.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; "
        "PRAGMA wal_autocheckpoint=48000; PRAGMA cache_size=-16000;",
    }
else:
    DATABASES["default"]["CONN_MAX_AGE"] = 60
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    # A statement that comes again is planned once a connection, unless a pooler gives
    # each transaction another one.
    pooled = flag("DATABASE_POOLED", default=False)
    DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] = pooled
    options = DATABASES["default"].setdefault("OPTIONS", {})
    options["prepare_threshold"] = None if pooled else 2
    # Without it whoever asks a server that is silent would wait for ever, and with them
    # all threads of the pages.
    options.setdefault("connect_timeout", DATABASE_SECONDS)

# --- Workers (D4, D5, D6) -----------------------------------------------------
BROKER_URL_FILE = DATA_DIR / "broker.url"
"""Written by the supervisor: where its embedded Valkey listens."""
REDIS_URL = redis_address()


def broker_url() -> str:
    """REDIS_URL, else this data directory's embedded broker, else an unused socket."""
    if REDIS_URL:
        return str(REDIS_URL)
    try:
        return BROKER_URL_FILE.read_text(encoding="utf-8").strip()
    except OSError:
        return f"redis+socket://{quote(str(DATA_DIR / 'no-broker.sock'))}"


CELERY_BROKER_URL = broker_url()
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
BROKER_SECONDS = 5
"""So long a broker may take to let us in, and to answer."""
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 600,
    # A page that announces a run must not hang while the broker is away.
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.2,
    "interval_max": 0.2,
    # Without them whoever asks one that is silent would wait for ever.
    "socket_connect_timeout": BROKER_SECONDS,
    "socket_timeout": BROKER_SECONDS,
}
CELERY_TASK_SOFT_TIME_LIMIT = 480
CELERY_TASK_TIME_LIMIT = 540
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
# Its one entry needs no memory: a file of it that was cut short would stop every start.
CELERY_BEAT_SCHEDULER = "syncerrors.beat:Scheduler"
CELERY_BEAT_SCHEDULE = {
    "dispatch what is due": {
        "task": "integration.tasks.dispatch_due",
        "schedule": Every(timedelta(seconds=10)),
        "options": {"expires": 10},
    }
}
HEARTBEAT_SECONDS = whole_number("SYNCERRORS_HEARTBEAT_SECONDS", 5, minimum=1)
TAKE_UP_SECONDS = whole_number("SYNCERRORS_TAKE_UP_SECONDS", 20, minimum=2)
"""A running job without a heartbeat for this long is taken up by another worker."""

# --- Alerts -------------------------------------------------------------------
MAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"


def mail_settings() -> dict[str, object]:
    """Django's settings of the mail server, from EMAIL_URL; none without it."""
    try:
        found: dict[str, object] = env.email_url("EMAIL_URL", default="dummymail://")
    except (ImproperlyConfigured, ValueError):
        found = {"EMAIL_BACKEND": MAIL_BACKEND}
    if found["EMAIL_BACKEND"] == MAIL_BACKEND:
        if not found.get("EMAIL_HOST"):
            # The value holds a password, so it is not shown.
            raise ImproperlyConfigured(
                "EMAIL_URL names no mail server; write for example "
                "smtp+tls://user:password@mail.example.com:587."
            )
        found["EMAIL_BACKEND"] = "integration.services.mail.MailServer"
    return found


def web_address(name: str, *, only_safe: bool) -> str:
    """An address, or "". ``only_safe``: by https, or on this machine."""
    value = str(env.str(name, default="")).strip().rstrip("/")
    try:
        parts = urlsplit(value)
        host = parts.hostname or ""
    except ValueError:
        raise ImproperlyConfigured(f"{name} is no web address.") from None
    near = host in {"localhost", "127.0.0.1", "::1"}
    schemes = {"https", "http"} if near or not only_safe else {"https"}
    if value and (parts.scheme not in schemes or not host):
        wanted = "https://" if only_safe else "https:// or http://"
        raise ImproperlyConfigured(f"{name} must start with {wanted}.")
    return value


ALERTS_BY_MAIL = bool(env.str("EMAIL_URL", default=""))
vars().update(mail_settings())
EMAIL_TIMEOUT = 10
"""Seconds for each step of the conversation with the mail server."""
PUBLIC_URL = web_address("PUBLIC_URL", only_safe=False)
"""Where people open the pages: the beginning of every link in a message."""
DEFAULT_FROM_EMAIL = env.str(
    "DEFAULT_FROM_EMAIL",
    default=f"Sync Errors <sync-errors@{urlsplit(PUBLIC_URL).hostname or 'localhost'}>",
)
ALERTS_WEBHOOK_URL = web_address("ALERTS_WEBHOOK_URL", only_safe=True)
ALERTS_WEBHOOK_SECRET = env.str("ALERTS_WEBHOOK_SECRET", default="")
if not ALERTS_WEBHOOK_SECRET.isascii() or not ALERTS_WEBHOOK_SECRET.isprintable():
    raise ImproperlyConfigured("ALERTS_WEBHOOK_SECRET must be plain ASCII.")
ALERTS_WEBHOOK_LANGUAGE = env.str("ALERTS_WEBHOOK_LANGUAGE", default="en")
if ALERTS_WEBHOOK_LANGUAGE not in {"en", "fr-ch"}:
    raise ImproperlyConfigured("ALERTS_WEBHOOK_LANGUAGE is en or fr-ch.")

# --- Language and time (D15) --------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("fr-ch", "Français (Suisse)")]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = ["integration.formats"]
USE_I18N = True
USE_TZ = True
USE_THOUSAND_SEPARATOR = True
TIME_ZONE = time_zone("TIME_ZONE", "Europe/Zurich")

# --- Files --------------------------------------------------------------------
STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "syncerrors.static_files.StaticFiles"},
}
WHITENOISE_USE_FINDERS = True

# --- Log ----------------------------------------------------------------------
LOG_LEVEL = one_of("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"))
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "structlog.stdlib.ProcessorFormatter",
            "processors": "ext://integration.log.PROCESSORS",
            "foreign_pre_chain": "ext://integration.log.SHARED",
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {"httpx2": {"level": "WARNING"}, "httpcore2": {"level": "WARNING"}},
}

# --- What this product allows itself --------------------------------------------
UNDO_DAYS = 30
PAYLOAD_DAYS = min(whole_number("SYNCERRORS_PAYLOAD_DAYS", 30, minimum=1), 36_500)
"""So long after its end an error keeps its requests, answers and call stack."""
RETENTION_DAYS = min(whole_number("SYNCERRORS_RETENTION_DAYS", 0, minimum=0), 36_500)
"""Finished errors last seen longer ago are deleted once a week; 0: none ever is."""
PREVIEW_TOKEN_SECONDS = 3600
ADMIN_PASSWORD = env.str("SYNCERRORS_ADMIN_PASSWORD", default="")
"""The password of the user quickstart makes; without it a new one is made and shown."""
DEMONSTRATION = flag("SYNCERRORS_DEMONSTRATION", default=False)
"""Set by quickstart: shows the strip that leads through healing one error."""
