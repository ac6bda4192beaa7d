"""The Entra token endpoint, and who a token stands for (protocols §1).

``entra:apps`` holds applications by client id (``name``, ``secret``, ``state``),
``entra:accounts`` people by user name (``upn``, ``password``, ``state``). A token
once given stays valid to its end, whatever becomes of the state.
"""

import secrets
import tomllib
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
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

APPS, ACCOUNTS, TOKENS = "entra:apps", "entra:accounts", "entra:tokens"
LIFETIME = timedelta(seconds=3599)
WRONG_PASSWORDS = 10  # before the account is locked

_BUSINESS_CENTRAL_SCOPE = "https://api.businesscentral.dynamics.com"
_IDENTITY_SCOPES = {"openid", "profile", "email", "offline_access"}
_FAILURES: dict[str, Any] = tomllib.loads(
    Path(__file__).with_name("entra.toml").read_text("utf-8")
)
# Of closed states Entra speaks even when the password is wrong.
APP_STATES: dict[str, Any] = _FAILURES["app_states"]
CLOSED_STATES: dict[str, Any] = _FAILURES["closed_states"]
PASSWORD_STATES: dict[str, Any] = _FAILURES["password_states"]
LABELS: dict[str, dict[str, str]] = _FAILURES["labels"]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a token stands for. ``user`` is "" for an application."""

    client_id: str
    user: str


class RefusedError(Exception):
    """No token: which failure of ``entra.toml``, and what its text names."""

    def __init__(self, failure: str | dict[str, Any], **words: str) -> None:
        super().__init__(failure)
        self.failure = _FAILURES[failure] if isinstance(failure, str) else failure
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
        form = request.form.to_dict()
        notes(request).entity = "token"
        notes(request).client = form.get("username") or form.get("client_id", "")
        words = {
            "tenant": tenant,
            "client": form.get("client_id", ""),
            "user": form.get("username", ""),
            "grant": form.get("grant_type", ""),
            "scope": form.get("scope", ""),
        }
        try:
            with self._store.transaction():
                answer = self._token(form, tenant, base_url(request))
        except RefusedError as refused:
            return self._refusal(refused.failure, words | refused.words)
        return json_response(answer, headers={"Cache-Control": "no-store"})

    def _token(self, form: dict[str, str], tenant: str, base: str) -> dict[str, Any]:
        known = self._store.setting("tenant")
        if known and tenant.lower() != known.lower():
            raise RefusedError("no_tenant")
        for name in ("grant_type", "client_id", "scope"):
            if not form.get(name):
                raise RefusedError("missing", missing=name)
        match form["grant_type"]:
            case "client_credentials":
                app, account = self._app_with_secret(form), None
            case "password":
                app, account = self._app(form), self._account(form)
            case _:
                raise RefusedError("bad_grant")
        return self._issue(app, account, resource_of(form["scope"], base))

    def _app(self, form: dict[str, str]) -> Row:
        app = self._store.table(APPS).get(form["client_id"])
        if app is None:
            raise RefusedError("no_app")
        if app.values.get("state") == "disabled":
            raise RefusedError(APP_STATES["disabled"])
        return app

    def _app_with_secret(self, form: dict[str, str]) -> Row:
        app = self._app(form)
        if form.get("client_assertion"):
            raise RefusedError("bad_assertion")
        if not form.get("client_secret"):
            raise RefusedError("no_secret")
        state = app.values.get("state", "ok")
        right = secrets.compare_digest(
            form["client_secret"].encode(), str(app.values.get("secret")).encode()
        )
        if not right or state == "invalid":
            raise RefusedError("secret_invalid")
        if state in APP_STATES:
            raise RefusedError(APP_STATES[state])
        return app

    def _account(self, form: dict[str, str]) -> Row:
        for name in ("username", "password"):
            if not form.get(name):
                raise RefusedError("missing", missing=name)
        found = self._store.table(ACCOUNTS, ("upn",)).find("upn", form["username"])
        if not found:
            raise RefusedError("no_account")
        account = found[0]
        state = account.values.get("state", "ok")
        if state in CLOSED_STATES:
            raise RefusedError(CLOSED_STATES[state])
        if form["password"] != account.values.get("password"):
            raise RefusedError("wrong_password", wrong=account.id)
        if state in PASSWORD_STATES:
            raise RefusedError(PASSWORD_STATES[state])
        return account

    def _issue(self, app: Row, account: Row | None, resource: str) -> dict[str, Any]:
        tokens, now = self._store.table(TOKENS, ("token",)), self._store.now()
        for row in tokens.rows():
            if row.values["expires"] <= now:
                tokens.delete(row.id)
        token = secrets.token_urlsafe(48)
        values = {
            "token": token,
            "client_id": app.id,
            "user": account.values["upn"] if account else "",
            "resource": resource,
            "expires": now + LIFETIME,
        }
        tokens.insert(values)
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
        return json_response(body, failure["status"], {"Cache-Control": "no-store"})

    def _count_wrong_password(self, account_id: str) -> None:
        accounts = self._store.table(ACCOUNTS)
        with self._store.transaction():
            account = accounts.get(account_id)
            if account is None:
                return
            wrong = account.values.get("wrong_passwords", 0) + 1
            locked = {"state": "locked"} if wrong >= WRONG_PASSWORDS else {}
            accounts.update(account, {"wrong_passwords": wrong, **locked})


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
