"""Ports of this machine, claimed before anything starts."""

import errno
import socket
from argparse import ArgumentTypeError

LOOPBACK = "127.0.0.1"
MOST_RECORDS = 1_000_000
"""More would not be made in hours."""


class CannotListen(Exception):  # noqa: N818  (a sentence for a person)
    """Nobody can be answered there; each kind says why and what to choose."""


class PortInUse(CannotListen):
    """Something else listens there."""

    def __init__(self, port: int, option: str) -> None:
        super().__init__(
            f"Port {port} is in use by another program; choose another with {option} "
            f"(0 takes any free one)."
        )


class PortNotAllowed(CannotListen):
    """The system keeps it for those with more rights."""

    def __init__(self, port: int, option: str) -> None:
        super().__init__(
            f"You need more rights to listen on port {port}; choose one from 1024 on "
            f"with {option} (0 takes any free one)."
        )


class NoSuchAddress(CannotListen):
    """This machine cannot listen there."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"{host or '“”'} is no address of this machine; choose another with --host "
            f"(0.0.0.0 takes all it has)."
        )


def claim_port(port: int, option: str, host: str = LOOPBACK) -> socket.socket:
    """A listening socket; 0 takes any free port.

    Raises ``CannotListen``; all addresses are asked for by name.

    A child inherits it, so nobody can come in between, and a restart misses no call.
    """
    if not host:
        raise NoSuchAddress(host)
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(port, option) from error
        if error.errno == errno.EACCES:
            raise PortNotAllowed(port, option) from error
        if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
            raise NoSuchAddress(host) from error
        raise
    return listener


def port_number(text: str) -> int:
    number = whole_number(text)
    if number > 65535:
        raise ArgumentTypeError(f"{text} is not a port (0 to 65535)")
    return number


def whole_number(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise ArgumentTypeError(f"{text} is not a whole number")
    return int(text)


def record_count(text: str) -> int:
    number = whole_number(text)
    if number > MOST_RECORDS:
        raise ArgumentTypeError(f"{text} are too many (at most {MOST_RECORDS:,})")
    return number
