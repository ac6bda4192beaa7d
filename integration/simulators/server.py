"""The simulators on a port of this machine: threads of one process, loopback only."""

import errno
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler

from integration.simulators.app import Simulators
from integration.simulators.http import dumps

ADDRESSES = "simulators.json"


class PortInUseError(OSError):
    """Another process listens on the port."""


class _Handler(WSGIRequestHandler):
    """Quiet, and it keeps connections open, as the real services do."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """The request log of the store is the log."""

    def connection_dropped(
        self, error: BaseException, environ: Any | None = None
    ) -> None:
        """Lost on purpose, or the client has gone: nothing more is sent on it."""
        self.close_connection = True


class _Server(ThreadingMixIn, BaseWSGIServer):
    multithread = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128


class RunningServer:
    """A server in a thread of its own."""

    def __init__(self, server: _Server) -> None:
        self._server = server
        self.port: int = server.server_port
        self.url = f"http://{server.host}:{self.port}"
        self._thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True
        )
        self._thread.start()

    def wait(self) -> None:
        """Until the server stops."""
        self._thread.join()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def serve(
    simulators: Simulators, host: str = "127.0.0.1", port: int = 0
) -> RunningServer:
    """Port 0 takes any free one. Raises PortInUseError, with a sentence."""
    try:
        server = _Server(host, port, simulators.wsgi, _Handler)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUseError(
                error.errno, f"Port {port} is in use by another program."
            ) from error
        raise
    return RunningServer(server)


def write_addresses(directory: Path, addresses: Mapping[str, Any]) -> Path:
    """``simulators.json``, readable by its owner alone, replaced in one step."""
    path = directory / ADDRESSES
    draft = path.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(dumps(dict(addresses)))
    draft.replace(path)
    return path
