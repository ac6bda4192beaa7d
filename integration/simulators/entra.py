"""The Entra token endpoint, and who a token stands for (protocols §1).

``entra:apps`` holds applications by client id (``name``, ``secret``, ``state``),
``entra:accounts`` people by user name (``upn``, ``password``, ``state``). A token
once given stays valid to its end, whatever becomes of the state.
"""

import secrets
import tomllib
from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from werkzeug.wrappers import Request, Response

from integration.simulators.http import (
    BUSINESS_CENTRAL,
    SALES,
    base_url,
    bearer_token,
    iso,
    json_response,
    notes,
)
from integration.simulators.store import Row, Store

Form = defaultdict[str, str]  # absent fields are ""
APPS, ACCOUNTS, TOKENS = "entra:apps", "entra:accounts", "entra:tokens"
LIFETIME = timedelta(seconds=3599)
WRONG_PASSWORDS = 10  # before the account is locked

_BUSINESS_CENTRAL_SCOPE = "https://api.businesscentral.dynamics.com"
_NOT_STORED = {"Cache-Control": "no-store"}
_WORDS = {
    "client": "client_id",
    "user": "username",
    "grant": "grant_type",
    "scope": "scope",
}
_IDENTITY_SCOPES = {"openid", "profile", "email", "offline_access"}
_FAILURES: dict[str, Any] = tomllib.loads(
    Path(__file__).with_name("entra.toml").read_text("utf-8")
)
CLOSED_STATES = ("locked", "disabled")
PASSWORD_STATES = ("mustChange", "expired", "expiredOnPrem", "riskReset")
LABELS: dict[str, dict[str, str]] = _FAILURES["labels"]


class Principal(NamedTuple):
    """Who a token stands for. ``user`` is "" for an application."""

    client_id: str
    user: str


class RefusedError(Exception):
    """No token: which failure of ``entra.toml``, and what its text names."""

    def __init__(self, failure: str, **words: str) -> None:
        super().__init__(failure)
        self.failure = _FAILURES[failure]
        self.words = words


def principal_of(store: Store, request: Request, resource: str) -> Principal | None:
    """Whose token this request bears; None: absent, unknown, over, other resource."""
    token = bearer_token(request)
    rows = store.table(TOKENS, ("token",)).find("token", token) if token else []
    if not rows:
        return None
    held = rows[0].values
    if held["resource"] != resource or held["expires"] <= store.now():
        return None
    notes(request).client = held["user"] or held["client_id"]
    return Principal(held["client_id"], held["user"])


class TokenEndpoint:
    """``POST /{tenant}/oauth2/v2.0/token``."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def handle(self, request: Request, tenant: str) -> Response:
        form = defaultdict(str, request.form.to_dict())
        notes(request).entity = "token"
        notes(request).client = form["username"] or form["client_id"]
        words = {name: form[field] for name, field in _WORDS.items()}
        try:
            with self._store.transaction():
                answer = self._token(form, tenant, base_url(request))
        except RefusedError as refused:
            told = {**words, "tenant": tenant, **refused.words}
            return self._refusal(refused.failure, told)
        return json_response(answer, headers=_NOT_STORED)

    def _token(self, form: Form, tenant: str, base: str) -> dict[str, Any]:
        known = self._store.setting("tenant")
        if known and tenant.lower() != known.lower():
            raise RefusedError("no_tenant")
        _require(form, "grant_type", "client_id", "scope")
        if form["grant_type"] not in ("client_credentials", "password"):
            raise RefusedError("bad_grant")
        app, user = self._app(form["client_id"]), ""
        if form["grant_type"] == "password":
            _require(form, "username", "password")
            user = self._user(form["username"], form["password"])
        else:
            _check_secret(app, form)
        return self._issue(app.id, user, resource_of(form["scope"], base))

    def _app(self, client_id: str) -> Row:
        app = self._store.table(APPS).get(client_id)
        if app is None:
            raise RefusedError("no_app")
        if app.values.get("state") == "disabled":
            raise RefusedError("app_disabled")
        return app

    def _user(self, name: str, password: str) -> str:
        """Entra speaks of a closed account even when the password is wrong."""
        found = self._store.table(ACCOUNTS, ("upn",)).find("upn", name)
        if not found:
            raise RefusedError("no_account")
        values = found[0].values
        state = values.get("state", "ok")
        if state in CLOSED_STATES:
            raise RefusedError(f"account_{state}")
        if password != values.get("password"):
            raise RefusedError("wrong_password", wrong=found[0].id)
        if state in PASSWORD_STATES:
            raise RefusedError(f"account_{state}")
        return str(values["upn"])

    def _issue(self, client_id: str, user: str, resource: str) -> dict[str, Any]:
        tokens, now = self._store.table(TOKENS, ("token",)), self._store.now()
        for row in tokens.rows():
            if row.values["expires"] <= now:
                tokens.delete(row.id)
        token = secrets.token_urlsafe(48)
        values = {"token": token, "client_id": client_id, "user": user}
        tokens.insert({**values, "resource": resource, "expires": now + LIFETIME})
        seconds = int(LIFETIME.total_seconds())
        return {
            "token_type": "Bearer",
            "expires_in": seconds,
            "ext_expires_in": seconds,
            "access_token": token,
        }

    def _refusal(self, failure: dict[str, Any], words: dict[str, str]) -> Response:
        if words.get("wrong"):
            self._count_wrong_password(words["wrong"])
        number, trace, correlation = failure["number"], str(uuid4()), str(uuid4())
        timestamp = iso(self._store.now()).replace("T", " ")
        description = (
            f"AADSTS{number}: {failure['text'].format(**words)}"
            f"\r\nTrace ID: {trace}\r\nCorrelation ID: {correlation}"
            f"\r\nTimestamp: {timestamp}"
        )
        body = {
            "error": failure["error"],
            "error_description": description,
            "error_codes": [number],
            "timestamp": timestamp,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"https://login.microsoftonline.com/error?code={number}",
        }
        return json_response(body, failure["status"], _NOT_STORED)

    def _count_wrong_password(self, account_id: str) -> None:
        accounts = self._store.table(ACCOUNTS)
        with self._store.transaction():
            if account := accounts.get(account_id):
                wrong = account.values.get("wrong_passwords", 0) + 1
                locked = {"state": "locked"} if wrong >= WRONG_PASSWORDS else {}
                accounts.update(account, {"wrong_passwords": wrong, **locked})


def _require(form: Form, *names: str) -> None:
    for name in names:
        if not form[name]:
            raise RefusedError("missing", missing=name)


def _check_secret(app: Row, form: Form) -> None:
    if form["client_assertion"]:
        raise RefusedError("bad_assertion")
    if not form["client_secret"]:
        raise RefusedError("no_secret")
    given, secret = form["client_secret"], str(app.values.get("secret"))
    state = app.values.get("state", "ok")
    if given != secret or state == "invalid":
        raise RefusedError("secret_invalid")
    if state == "expired":
        raise RefusedError("app_expired")


def resource_of(scope: str, base: str) -> str:
    """Which side the token is for. ``base``: the simulators' own address."""
    wanted = [part for part in scope.split() if part not in _IDENTITY_SCOPES]
    if len(wanted) > 1:
        raise RefusedError("two_resources")
    resource, _, rest = (wanted or [""])[0].rpartition("/")
    resource = resource.rstrip("/")
    if rest not in (".default", "user_impersonation") or not resource:
        raise RefusedError("bad_scope")
    if resource == _BUSINESS_CENTRAL_SCOPE or resource.startswith(f"{base}/bc"):
        return BUSINESS_CENTRAL
    # Dataverse names its organization by the host alone.
    if resource == base or resource.startswith(f"{base}/sales"):
        return SALES
    raise RefusedError("no_resource", resource=resource)
