"""Ports are claimed before anything starts."""

import subprocess
import sys
from argparse import ArgumentTypeError

import pytest

from integration.management.ports import (
    NoSuchAddress,
    PortInUse,
    claim_port,
    port_number,
    record_count,
)
from tests.journeys.outside import REPOSITORY


def test_zero_takes_any_free_port() -> None:
    with claim_port(0, "--port") as listener:
        assert listener.getsockname()[1] > 0


def test_a_port_in_use_is_said_with_the_option_that_changes_it() -> None:
    with claim_port(0, "--port") as listener:
        port = listener.getsockname()[1]

        with pytest.raises(PortInUse, match=f"Port {port} is in use.*--sim-port"):
            claim_port(port, "--sim-port")


def test_a_port_that_needs_rights_is_not_called_in_use() -> None:
    code = """
import os
from integration.management.ports import PortNotAllowed, claim_port
if os.getuid() == 0:
    os.setuid(65534)
try:
    claim_port(80, "--port")
except PortNotAllowed as error:
    print(error)
"""
    done = subprocess.run(  # noqa: S603  (our own code)
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "You need more rights to listen on port 80; choose one from" in done.stdout


@pytest.mark.parametrize("text", ["70000", "-1", "8o80", "٨٠٨٠", "٨٠٨٠٠"])
def test_what_is_no_port_is_refused_in_words(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="is not a"):
        port_number(text)


def test_more_records_than_can_be_made_are_refused_at_once() -> None:
    with pytest.raises(ArgumentTypeError, match="too many"):
        record_count("1000001")
    assert record_count("1000000") == 1_000_000


def test_no_address_is_not_all_of_them() -> None:
    with pytest.raises(NoSuchAddress, match=r"“” is no address.*--host"):
        claim_port(0, "--port", "")


@pytest.mark.parametrize("host", ["no-such-host.invalid", "203.0.113.7"])
def test_an_address_of_another_machine_is_said_with_its_option(host: str) -> None:
    with pytest.raises(NoSuchAddress, match=f"{host} is no address.*--host"):
        claim_port(0, "--port", host)
