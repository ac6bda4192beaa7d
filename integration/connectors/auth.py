"""Tokens from Microsoft Entra ID: fetched once, shared, renewed in time (protocols §1).

Whoever asks too often is refused (AADSTS50196) and wrong passwords lock accounts.
So tokens are cached, one caller renews for all, and the same source does not repeat a
sign-in that was refused.
"""

import re
import threading
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from integration import clock
from integration.connectors.calls import Answer, Call
from integration.connectors.errors import ConnectionRefused, remote_error, tellable
from integration.connectors.refusals import problem_of
from integration.connectors.secrets import Secrets
from integration.connectors.sign_in import SignIn
from integration.connectors.transport import Transport
from integration.core.failures import Failure, FailureKind
from integration.core.records import System

PUBLIC_AUTHORITY = "https://login.microsoftonline.com"
SIGN_IN = "sign in"

_CODE = re.compile(r"\bAADSTS\d{4,7}\b")
_TRAILER = re.compile(r"(?:Trace ID|Correlation ID|Timestamp):.*", re.S)
_TRANSIENT = frozenset({"AADSTS90033", "AADSTS90006", "AADSTS90024", "AADSTS50033"})
_THROTTLED = frozenset({"AADSTS90055", "AADSTS50196"})
_LONGEST_TOKEN = 8_000
"""Characters; one has up to some 3,000. To look for a longer one in all that is told
would take minutes, and no server would take its header."""
_LONGEST = 16_000
"""Characters of what a refusal says that are read."""
_SHAPELESS = (KeyError, OverflowError, TypeError, ValueError)


def token_url(authority: str, tenant: str) -> str:
    """The token endpoint; the authority may be plain http (simulators)."""
    return f"{authority.rstrip('/')}/{quote(tenant, safe='')}/oauth2/v2.0/token"


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token and the moment from which it should be renewed."""

    value: str = field(repr=False)
    renew_at: datetime

    @classmethod
    def from_answer(cls, body: Any, now: datetime) -> "Token":
        """Raises one of ``_SHAPELESS`` for another shape."""
        life = float(body["expires_in"])
        # A short life leaves no five minutes to spare.
        use = min(0.8 * life, life - 300) if life > 600 else 0.8 * life
        value = str(body["access_token"])
        is_bearable = value.isascii() and value.isprintable()
        if not (is_bearable and len(value) <= _LONGEST_TOKEN and 0 <= life < 10**9):
            raise ValueError("no header can carry this token, or no clock its life")
        return cls(value, now + timedelta(seconds=use))


class TokenCache(Protocol):
    """Where tokens are kept between calls; services share one between workers.

    The key names token endpoint, subject, scope and the credential used, so that a new
    secret never finds the token of an old one.
    """

    def get(self, key: str) -> Token | None: ...

    def put(self, key: str, token: Token) -> None: ...

    def lock(self, key: str) -> AbstractContextManager[Any]:
        """Held while one caller renews; the others wait and then find its token."""
        ...


class InProcessTokenCache:
    """Tokens of this process, for all its threads."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._tokens: dict[str, Token] = {}
        self._locks: dict[str, threading.Lock] = {}

    def get(self, key: str) -> Token | None:
        with self._guard:
            return self._tokens.get(key)

    def put(self, key: str, token: Token) -> None:
        with self._guard:
            self._tokens[key] = token

    def lock(self, key: str) -> AbstractContextManager[Any]:
        with self._guard:
            return self._locks.setdefault(key, threading.Lock())


@dataclass(slots=True)
class TokenSource:
    """Tokens of one sign-in for one scope. ``transport`` must not sign in itself."""

    system: System
    transport: Transport
    url: str
    scope: str
    sign_in: SignIn
    cache: TokenCache
    secrets: Secrets = field(init=False)
    _refused: Failure | None = field(default=None, init=False)
    _key: str = field(default="", init=False)
    _held: Token | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.secrets = Secrets(*self.sign_in.secrets)

    def token(self, rejected: str = "") -> str:
        """A token that is not ``rejected``. Raises ``RemoteError``; may wait."""
        found = self._usable(rejected)
        if found is None:
            with self.cache.lock(self._cache_key()):
                found = self._usable(rejected) or self._fetch()
        self.secrets.learn(found.value)
        return found.value

    def _usable(self, rejected: str) -> Token | None:
        """That of the last call as long as it serves: the cache may be elsewhere."""
        token = self._held
        if not _serves(token, rejected):
            token = self._held = self.cache.get(self._cache_key())
        return token if _serves(token, rejected) else None

    def _cache_key(self) -> str:
        if not self._key:
            sign_in = self.sign_in
            parts = (self.url, sign_in.subject, self.scope, sign_in.digest)
            self._key = " ".join(parts)
        return self._key

    def _fetch(self) -> Token:
        if self._refused is not None:
            raise ConnectionRefused(self._refused)
        try:
            token = self._ask()
        except ConnectionRefused as error:
            # An endpoint that was never reached has refused nobody.
            if error.failure.status:
                self._refused = error.failure
            raise
        self.cache.put(self._cache_key(), token)
        return token

    def _ask(self) -> Token:
        call = self._call()
        now = clock.now()
        answer = self.transport.send(call)
        try:
            body = answer.json()
            # An answer that gives one and cannot be used is told without it, too.
            self.secrets.learn(str(body["access_token"])[:_LONGEST_TOKEN])
            return Token.from_answer(body, now)
        except _SHAPELESS as error:
            message = "The token endpoint's answer holds no token"
            kind = FailureKind.CONNECTION
            failure = call.failure(kind, "token-missing", message, answer)
            raise remote_error(failure) from tellable(error, call)

    def _call(self) -> Call:
        blank = Call(self.system, SIGN_IN, "POST", self.url, secrets=self.secrets)
        try:
            form = self.sign_in.form(self.url, clock.now())
        except ValueError as error:
            message = f"The certificate cannot be used: {error}"
            kind = FailureKind.CONNECTION
            failure = blank.failure(kind, "certificate-unreadable", message)
            raise remote_error(failure) from tellable(error, blank)
        self.secrets.learn(form.get("client_assertion", ""))
        return replace(
            blank,
            headers={
                "Accept": "application/json",
                "Content-Type": "application/x-www-form-urlencoded",
            },
            content=urlencode({**form, "scope": self.scope}).encode(),
            repeatable=True,
        )


def _serves(token: Token | None, rejected: str) -> bool:
    if token is None or token.value == rejected:
        return False
    return clock.now() < token.renew_at


def sign_in_problem(call: Call, answer: Answer) -> Failure | None:
    """Why the token endpoint refused; ``None`` for a success (protocols §1.3)."""
    failure = problem_of(call, answer)
    if failure is None or failure.code.startswith("net-html"):
        return failure
    error = _error_of(answer)
    if error is None:
        return failure
    code = call.beginning(_code_of(error), _LONGEST)
    message = call.beginning(str(error.get("error_description") or code), _LONGEST)
    message = _TRAILER.sub("", message).strip()
    trace = call.beginning(str(error.get("trace_id") or ""), _LONGEST)
    return call.failure(_kind_of(code, failure.kind), code, message, answer, trace)


def _error_of(answer: Answer) -> dict[str, Any] | None:
    try:
        body = answer.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) and body.get("error") else None


def _code_of(error: dict[str, Any]) -> str:
    numbers = error.get("error_codes")
    if isinstance(numbers, list) and numbers:
        return f"AADSTS{numbers[0]}"
    found = _CODE.search(str(error.get("error_description") or ""))
    return found[0] if found else str(error["error"])


def _kind_of(code: str, by_status: FailureKind) -> FailureKind:
    if code in _THROTTLED:
        return FailureKind.THROTTLED
    if code in _TRANSIENT:
        return FailureKind.TRANSIENT
    if by_status in {FailureKind.THROTTLED, FailureKind.TRANSIENT}:
        return by_status
    return FailureKind.CONNECTION
