"""From a stored endpoint to an open connector: the one place that builds them."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address
from typing import assert_never
from urllib.parse import SplitResult

from django.conf import settings
from django.utils.translation import gettext_noop

from integration import clock
from integration.choices import SignIn as SignInChoice
from integration.choices import System
from integration.connectors.business_central import GOES_ON_SECONDS, BusinessCentral
from integration.connectors.odata import is_guid
from integration.connectors.sales import Sales
from integration.connectors.session import Wiring
from integration.connectors.sign_in import (
    Certificate,
    ClientSecret,
    SignIn,
    UserAccount,
)
from integration.core.outcomes import Finding
from integration.models import Endpoint
from integration.services.addresses import split_plain
from integration.services.budgets import SharedThrottle, Standing
from integration.services.credentials import read_secret
from integration.services.shared_memory import entry_name, shared_memory
from integration.services.tokens import SharedTokenCache
from integration.services.unusable import Unusable

_CALLS_AT_ONCE = {System.BUSINESS_CENTRAL: 5, System.SALES: 4}


class AddressNotAllowed(Unusable):
    """The endpoint points where we do not go (D13)."""


class CompanyNotNamed(Unusable):
    """The endpoint does not say which company it is."""


def refuse_foreign_addresses(endpoint: Endpoint) -> None:
    """Raises ``AddressNotAllowed`` for a host or scheme outside the allow-list.

    Real systems are reached by https on allowed hosts only; simulators by loopback
    only. So nobody can make this server call an address of their choice.
    """
    for address in (endpoint.base_url, endpoint.authority, endpoint.web_url):
        parts = split_plain(address)
        text = _why_foreign(endpoint, parts)
        if text:
            params = {"system": endpoint.kind, "address": address}
            host = (parts and parts.hostname) or address
            finding = Finding("address-not-allowed", params)
            raise AddressNotAllowed(finding, text, address=address, host=host)


def _why_foreign(endpoint: Endpoint, parts: SplitResult | None) -> str:
    """The sentence that refuses an address; "" for one where we may go."""
    if parts is None:
        return gettext_noop("{address} is no plain web address.")
    host = parts.hostname or ""
    if endpoint.is_simulator:
        if parts.scheme in {"http", "https"} and _is_loopback(host):
            return ""
        return gettext_noop(
            "{address} is not on this machine; a simulated endpoint must be."
        )
    if clock.rate() != 1:
        return gettext_noop("{address} is real, and the clock is not.")
    if parts.scheme != "https":
        return gettext_noop("{address} must start with https://.")
    if _is_allowed(host):
        return ""
    return gettext_noop(
        "{host} is not among the allowed hosts; add it to ALLOWED_REMOTE_HOSTS if it "
        "is right."
    )


def open_business_central(
    endpoint: Endpoint, *, for_check: bool = False
) -> BusinessCentral:
    """The company of this endpoint. A check signs in afresh instead of by cache.

    Raises ``CompanyNotNamed`` too.
    """
    refuse_foreign_addresses(endpoint)
    if not is_guid(endpoint.company_id):
        raise CompanyNotNamed(
            Finding("bc-company-not-found"),
            gettext_noop("The company id of “{name}” is missing or no GUID."),
            name=endpoint.name,
        )
    return BusinessCentral(
        base_url=endpoint.base_url,
        tenant=endpoint.tenant_id,
        environment=endpoint.environment,
        company_id=endpoint.company_id,
        sign_in=_sign_in(endpoint),
        authority=endpoint.authority,
        goes_on_seconds=0.0 if endpoint.is_simulator else GOES_ON_SECONDS,
        wiring=_wiring(endpoint, for_check),
    )


def open_sales(endpoint: Endpoint, *, for_check: bool = False) -> Sales:
    """The environment of this endpoint.

    A check signs in afresh and reads round the other side's cache of permissions.
    """
    refuse_foreign_addresses(endpoint)
    return Sales(
        base_url=endpoint.base_url,
        tenant=endpoint.tenant_id,
        sign_in=_sign_in(endpoint),
        authority=endpoint.authority,
        strong_consistency=for_check,
        wiring=_wiring(endpoint, for_check),
    )


@lru_cache(maxsize=1)
def shared_tokens() -> SharedTokenCache:
    """One cache for all connectors."""
    return SharedTokenCache(shared_memory())


@lru_cache(maxsize=64)
def shared_budget(at_once: int, *whose: str) -> SharedThrottle:
    """One budget per system and user, for all workers (promise 8)."""
    return SharedThrottle(shared_memory(), entry_name("budget", *whose), at_once)


def throttle_of(endpoint: Endpoint) -> SharedThrottle:
    """Both systems count per user in each environment (protocols §2.6, §3.8)."""
    by_name = endpoint.sign_in == SignInChoice.USER_ACCOUNT
    user = endpoint.user_name if by_name else endpoint.client_id
    place = (endpoint.base_url, endpoint.tenant_id, endpoint.environment)
    at_once = _CALLS_AT_ONCE[System(endpoint.kind)]
    return shared_budget(at_once, endpoint.kind, *place, user)


def budgets_of(endpoints: Iterable[Endpoint]) -> dict[System, Standing | None]:
    """How the fullest budget of each system stands; ``None``: nobody knows."""
    found: dict[System, Standing | None] = {}
    for endpoint in endpoints:
        system, standing = System(endpoint.kind), throttle_of(endpoint).standing()
        known = found.get(system)
        found[system] = max(known, standing) if known and standing else standing
    return found


def _wiring(endpoint: Endpoint, for_check: bool) -> Wiring:
    tokens = None if for_check else shared_tokens()
    return Wiring(tokens=tokens, throttle=throttle_of(endpoint))


def _sign_in(endpoint: Endpoint) -> SignIn:
    secret = read_secret(endpoint)
    chosen = SignInChoice(endpoint.sign_in)
    match chosen:
        case SignInChoice.CLIENT_SECRET:
            return ClientSecret(endpoint.client_id, secret)
        case SignInChoice.USER_ACCOUNT:
            return UserAccount(endpoint.client_id, endpoint.user_name, secret)
        case SignInChoice.CERTIFICATE:
            return Certificate(endpoint.client_id, secret, endpoint.certificate)
        case _:
            assert_never(chosen)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _is_allowed(host: str) -> bool:
    return any(
        host == allowed or (allowed.startswith(".") and host.endswith(allowed))
        for allowed in settings.ALLOWED_REMOTE_HOSTS
    )
