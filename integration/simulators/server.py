"""The simulators on a port of this machine: threads of one process, loopback only."""

import io
import os
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from socketserver import ThreadingTCPServer
from typing import TYPE_CHECKING, Any

from werkzeug.serving import WSGIRequestHandler

from integration.simulators.app import Simulators
from integration.simulators.http import dumps

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

ADDRESSES = "simulators.json"
BODY_LIMIT = 350 * 1024 * 1024  # what Business Central takes


class _Handler(WSGIRequestHandler):
    """One connection, kept open between requests.

    werkzeug's own way to answer closes each connection and waits for the client to
    be silent; hundreds of requests a second want neither.
    """

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def run_wsgi(self) -> None:
        environ = self.make_environ()
        environ["wsgi.input"] = io.BytesIO(self._body(environ))
        begun: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], error: Any = None
        ) -> Callable[[bytes], object]:
            begun.append((status, headers))
            return self.wfile.write

        try:
            pieces = self.server.app(environ, start_response)
            self._begin(*begun[-1])
            for piece in pieces:
                if self.command != "HEAD":
                    self.wfile.write(piece)
                self.wfile.flush()
        except ConnectionError:
            self.close_connection = True

    def _body(self, environ: Mapping[str, Any]) -> bytes:
        """Read now: what an application leaves unread would be the next request."""
        if environ.get("wsgi.input_terminated"):
            chunked: bytes = environ["wsgi.input"].read()
            return chunked
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > BODY_LIMIT:
            self.close_connection = True
            return b""
        return self.rfile.read(int(length))

    def _begin(self, status: str, headers: list[tuple[str, str]]) -> None:
        number, _, reason = status.partition(" ")
        self.send_response_only(int(number), reason)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing here: requests are written down in the store."""


class _Server(ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    # What werkzeug's handler wants to know of its server.
    multithread, multiprocess, ssl_context = True, False, None
    _server_version = "Simulators"

    def __init__(self, listener: socket.socket, app: "WSGIApplication") -> None:
        self.app = app
        self._connections: set[socket.socket] = set()
        address = listener.getsockname()
        super().__init__(address, _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket, self.server_address = listener, address

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End the connections that clients keep open."""
        for connection in tuple(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # it ended by itself


class RunningServer:
    """A server in a thread of its own."""

    def __init__(self, server: _Server) -> None:
        host, self.port = server.server_address[:2]
        self.url = f"http://{host!s}:{self.port}"
        self._server = server
        self._thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server.hang_up()


def serve(
    simulators: Simulators, listener: socket.socket | None = None
) -> RunningServer:
    """On a socket that is listening already, or on any free port of this machine."""
    if listener is None:
        listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    return RunningServer(_Server(listener, simulators.wsgi))


def write_addresses(directory: Path, addresses: Mapping[str, Any]) -> Path:
    """``simulators.json``, readable by its owner alone, replaced in one step."""
    path = directory / ADDRESSES
    draft = path.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(dumps(dict(addresses)))
    draft.replace(path)
    return path
