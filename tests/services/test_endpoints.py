"""Where we go, and where not."""

import pytest

from integration.models import Endpoint
from integration.services.endpoints import (
    AddressNotAllowed,
    refuse_foreign_addresses,
    throttle_of,
)
from tests.running import running_systems

REAL = {
    "base_url": "https://api.businesscentral.dynamics.com",
    "web_url": "https://businesscentral.dynamics.com",
    "authority": "https://login.microsoftonline.com",
}


def endpoint(**changed: str) -> Endpoint:
    return Endpoint(name="E", **(REAL | changed))


def simulated(host: str) -> Endpoint:
    there = dict.fromkeys(REAL, f"http://{host}/bc")
    return Endpoint(name="E", is_simulator=True, **there)


def test_the_real_systems_are_allowed() -> None:
    refuse_foreign_addresses(endpoint())
    refuse_foreign_addresses(endpoint(base_url="https://fabrique.crm4.dynamics.com"))


@pytest.mark.parametrize(
    "address",
    [
        "http://api.businesscentral.dynamics.com",
        "https://evil.example",
        "https://dynamics.com.evil.example",
        "https://api.businesscentral.dynamics.com@evil.example",
        "https://127.0.0.1",
        "file:///etc/passwd",
        "https://evil.example\\.dynamics.com",
        "https://169.254.169.254\\@org.crm.dynamics.com/",
        "https://somebody:secret@org.crm.dynamics.com/",
        "https://evil.example／.dynamics.com",
        "http://[::1",
        "",
    ],
)
@pytest.mark.parametrize("field", ["base_url", "web_url", "authority"])
def test_another_host_or_scheme_is_refused(field: str, address: str) -> None:
    with pytest.raises(AddressNotAllowed):
        refuse_foreign_addresses(endpoint(**{field: address}))


@pytest.mark.parametrize("host", ["127.0.0.1:8100", "localhost", "[::1]:80"])
def test_a_simulator_is_on_this_machine(host: str) -> None:
    refuse_foreign_addresses(simulated(host))


def test_a_simulator_is_where_a_browser_would_look_for_it() -> None:
    with pytest.raises(AddressNotAllowed):
        refuse_foreign_addresses(simulated("evil.example\\@127.0.0.1"))


@pytest.mark.parametrize("host", ["192.168.1.4", "sim.example", "169.254.169.254"])
def test_a_simulator_elsewhere_is_refused(host: str) -> None:
    with pytest.raises(AddressNotAllowed, match="not on this machine"):
        refuse_foreign_addresses(simulated(host))


def test_systems_of_a_test_know_nothing_of_earlier_ones_on_their_port() -> None:
    """Ports come back: a budget that another test closed was found once in a while."""
    earlier = simulated("127.0.0.1:8100")
    earlier.kind = "sales"
    throttle_of(earlier).penalize(300)
    assert throttle_of(earlier).is_closed()

    with running_systems(records=0):
        assert not throttle_of(earlier).is_closed()
