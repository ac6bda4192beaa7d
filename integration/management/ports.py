"""Ports of this machine, claimed before anything starts."""

import errno
import socket
from argparse import ArgumentTypeError

LOOPBACK = "127.0.0.1"


class PortInUse(Exception):  # noqa: N818  (a sentence for a person)
    """Something else listens there."""

    def __init__(self, port: int, option: str) -> None:
        super().__init__(
            f"Port {port} is in use by another program; choose another with {option} "
            f"(0 takes any free one)."
        )


class NoSuchAddress(Exception):  # noqa: N818  (a sentence for a person)
    """This machine cannot listen there."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"{host or '“”'} is no address of this machine; choose another with --host "
            f"(0.0.0.0 takes all it has)."
        )


def claim_port(port: int, option: str, host: str = LOOPBACK) -> socket.socket:
    """A listening socket; 0 takes any free port.

    Raises ``PortInUse`` or ``NoSuchAddress``; all addresses are asked for by name.

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
        if error.errno in {errno.EADDRINUSE, errno.EACCES}:
            raise PortInUse(port, option) from error
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
