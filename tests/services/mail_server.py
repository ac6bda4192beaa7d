"""A real mail server and a real web server on this machine, for tests of alerts."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass(slots=True)
class MailBox:
    """What the server took; ``refusal`` is what it says instead, to DATA or to RCPT.

    ``hangs_up``: it takes the whole mail and goes without a word. ``at`` is what else
    happens at a command, before its answer: "RCPT", "DATA" (the mail is kept), "QUIT".
    """

    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    refusal: str = ""
    refusal_of_recipient: str = ""
    hangs_up: bool = False
    at: dict[str, Callable[[], object]] = field(default_factory=dict)
    port: int = 0

    def reach(self, command: str) -> None:
        self.at.get(command, int)()

    async def handle_RCPT(  # noqa: N802  (aiosmtpd's name)
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        self.reach("RCPT")
        if self.refusal_of_recipient:
            return self.refusal_of_recipient
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802  (aiosmtpd's name)
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.hangs_up and server.transport:
            self.keep(envelope)
            server.transport.abort()  # type: ignore[attr-defined]  # a socket's
        elif not self.refusal:
            self.keep(envelope)
        self.reach("DATA")
        return self.refusal or "250 Kept for you"

    async def handle_QUIT(  # noqa: N802  (aiosmtpd's name)
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        self.reach("QUIT")
        return "221 Bye"

    def keep(self, envelope: Envelope) -> None:
        content = envelope.content
        assert isinstance(content, bytes)
        mail = message_from_bytes(content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.recipients += envelope.rcpt_tos

    @property
    def subjects(self) -> list[str]:
        return [str(mail["Subject"]) for mail in self.mails]


class _OnAnyPort(Controller):
    """The library opens one connection itself, and must know where."""

    def _trigger_server(self) -> None:
        server: Any = self.server
        self.port = server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


@contextmanager
def mail_server() -> Iterator[MailBox]:
    box = MailBox()
    controller = _OnAnyPort(box, hostname="127.0.0.1", port=0)
    controller.start()
    box.port = controller.port
    try:
        yield box
    finally:
        controller.stop()


class _Echo(StreamRequestHandler):
    """Wants a password, and says back in each refusal what it was told."""

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        for line in self.rfile:
            command = line[:4].upper()
            if command == b"EHLO":
                self.wfile.write(b"250-here\r\n250 AUTH PLAIN\r\n")
            elif command == b"QUIT":
                self.wfile.write(b"221 Bye\r\n")
                return
            else:
                self.wfile.write(b"535 Not understood: " + line)


@contextmanager
def echoing_mail_server() -> Iterator[int]:
    """The port of one that accepts nobody."""
    with ThreadingTCPServer(("127.0.0.1", 0), _Echo) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        port: int = server.server_address[1]
        yield port
        server.shutdown()
        thread.join()


@dataclass(slots=True)
class Hook:
    """What was posted; it answers ``status`` and ``words``, or hangs up for 0.

    ``meanwhile`` happens when it has the post, before its answer.
    """

    posts: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    status: int = 200
    more: dict[str, str] = field(default_factory=dict)
    words: str = ""
    url: str = ""
    meanwhile: Callable[[], object] = int


@contextmanager
def web_server() -> Iterator[Hook]:
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.posts.append(json.loads(body))
            hook.headers.append(dict(self.headers))
            hook.meanwhile()
            if not hook.status:
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            self.send_response(hook.status)
            for name, value in hook.more.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(hook.words)))
            self.end_headers()
            self.wfile.write(hook.words.encode())

        def log_message(self, format: str, *args: object) -> None:
            """A test's standard error is for its own words."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    hook.url = f"http://127.0.0.1:{server.server_address[1]}/hooks/secret-part"
    try:
        yield hook
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def closed_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def in_threads(act: Callable[[], object], number: int = 2) -> None:
    """So many at once, each with its own connection to the database."""
    from django.db import connection

    errors: list[BaseException] = []

    def once() -> None:
        try:
            act()
        except BaseException as error:  # noqa: BLE001  (told to the test below)
            errors.append(error)
        finally:
            connection.close()

    threads = [Thread(target=once) for _n in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
