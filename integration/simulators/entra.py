"""The Entra token endpoint, and who a token stands for (protocols §1).

``entra:apps`` holds applications by client id (``name``, ``secret``, ``state``),
``entra:accounts`` people by user name (``upn``, ``password``, ``state``). A token
once given stays valid to its end, whatever becomes of the state.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

from werkzeug.wrappers import Request, Response

from integration.simulators.http import (
    base_url,
    bearer_token,
    iso,
    json_response,
    notes,
)
from integration.simulators.store import Row, Store

APPS, ACCOUNTS, TOKENS = "entra:apps", "entra:accounts", "entra:tokens"
BUSINESS_CENTRAL, SALES = "business_central", "sales"
LIFETIME = timedelta(seconds=3599)
WRONG_PASSWORDS = 10  # before the account is locked

_BUSINESS_CENTRAL_SCOPE = "https://api.businesscentral.dynamics.com"
_IDENTITY_SCOPES = {"openid", "profile", "email", "offline_access"}


@dataclass(frozen=True, slots=True)
class Failure:
    """One way to be refused a token."""

    status: int
    error: str
    number: int
    text: str


APP_STATES = {
    "disabled": Failure(
        400, "unauthorized_client", 7000112, "Application '{client}' is disabled."
    ),
    "expired": Failure(
        401,
        "invalid_client",
        7000222,
        "The provided client secret keys for app '{client}' are expired. Visit the"
        " Azure portal to create new keys for your app.",
    ),
}
SECRET_INVALID = Failure(
    401,
    "invalid_client",
    7000215,
    "Invalid client secret provided. Ensure the secret being sent in the request is"
    " the client secret value, not the client secret ID, for a secret added to app"
    " '{client}'.",
)
# Of these two Entra speaks even when the password is wrong.
CLOSED_STATES = {
    "locked": Failure(
        400,
        "invalid_grant",
        50053,
        "The account is locked, you've tried to sign in too many times with an"
        " incorrect user ID or password.",
    ),
    "disabled": Failure(400, "invalid_grant", 50057, "The user account is disabled."),
}
PASSWORD_STATES = {
    "mustChange": Failure(400, "invalid_grant", 50055, "The password is expired."),
    "expired": Failure(400, "invalid_grant", 50055, "The password is expired."),
    "expiredOnPrem": Failure(
        400, "invalid_grant", 50144, "User's Active Directory password has expired."
    ),
    "riskReset": Failure(
        400, "invalid_grant", 50135, "Password change is required due to account risk."
    ),
}
WRONG_PASSWORD = Failure(
    400,
    "invalid_grant",
    50126,
    "Error validating credentials due to invalid username or password.",
)
NO_ACCOUNT = Failure(
    400,
    "invalid_grant",
    50034,
    "The user account {user} does not exist in the {tenant} directory. To sign into"
    " this application, the account must be added to the directory.",
)
NO_APP = Failure(
    400,
    "unauthorized_client",
    700016,
    "Application with identifier '{client}' was not found in the directory"
    " '{tenant}'. This can happen if the application has not been installed by the"
    " administrator of the tenant or consented to by any user in the tenant.",
)
NO_TENANT = Failure(
    400,
    "invalid_request",
    90002,
    "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID"
    " and are signing into the correct cloud.",
)
MISSING = Failure(
    400,
    "invalid_request",
    900144,
    "The request body must contain the following parameter: '{missing}'.",
)
NO_SECRET = Failure(
    401,
    "invalid_client",
    7000218,
    "The request body must contain the following parameter: 'client_assertion' or"
    " 'client_secret'.",
)
BAD_ASSERTION = Failure(
    401,
    "invalid_client",
    700027,
    "The certificate with identifier used to sign the client assertion is not"
    " registered on application.",
)
BAD_GRANT = Failure(
    400, "unsupported_grant_type", 70003, "The grant type '{grant}' is not supported."
)
BAD_SCOPE = Failure(
    400,
    "invalid_scope",
    70011,
    "The provided value for the input parameter 'scope' is not valid. The scope"
    " {scope} is not valid.",
)
TWO_RESOURCES = Failure(
    400,
    "invalid_request",
    700022,
    "The scope {scope} contains multiple resources; only one is supported.",
)
NO_RESOURCE = Failure(
    400,
    "invalid_resource",
    500011,
    "The resource principal named {resource} was not found in the tenant named"
    " {tenant}.",
)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a token stands for. ``user`` is "" for an application."""

    client_id: str
    user: str
    name: str


class RefusedError(Exception):
    """No token: which failure, and what its text names."""

    def __init__(self, failure: Failure, **words: str) -> None:
        super().__init__(failure.text)
        self.failure = failure
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
    return Principal(held["client_id"], held["user"], held["name"])


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
            raise RefusedError(NO_TENANT)
        for name in ("grant_type", "client_id", "scope"):
            if not form.get(name):
                raise RefusedError(MISSING, missing=name)
        match form["grant_type"]:
            case "client_credentials":
                app, account = self._app_with_secret(form), None
            case "password":
                app, account = self._app(form), self._account(form)
            case _:
                raise RefusedError(BAD_GRANT)
        return self._issue(app, account, resource_of(form["scope"], base))

    def _app(self, form: dict[str, str]) -> Row:
        app = self._store.table(APPS).get(form["client_id"])
        if app is None:
            raise RefusedError(NO_APP)
        if app.values.get("state") == "disabled":
            raise RefusedError(APP_STATES["disabled"])
        return app

    def _app_with_secret(self, form: dict[str, str]) -> Row:
        app = self._app(form)
        if form.get("client_assertion"):
            raise RefusedError(BAD_ASSERTION)
        if not form.get("client_secret"):
            raise RefusedError(NO_SECRET)
        state = app.values.get("state", "ok")
        right = secrets.compare_digest(
            form["client_secret"].encode(), str(app.values.get("secret")).encode()
        )
        if not right or state == "invalid":
            raise RefusedError(SECRET_INVALID)
        if state in APP_STATES:
            raise RefusedError(APP_STATES[state])
        return app

    def _account(self, form: dict[str, str]) -> Row:
        for name in ("username", "password"):
            if not form.get(name):
                raise RefusedError(MISSING, missing=name)
        found = self._store.table(ACCOUNTS, ("upn",)).find("upn", form["username"])
        if not found:
            raise RefusedError(NO_ACCOUNT)
        account = found[0]
        state = account.values.get("state", "ok")
        if state in CLOSED_STATES:
            raise RefusedError(CLOSED_STATES[state])
        if form["password"] != account.values.get("password"):
            raise RefusedError(WRONG_PASSWORD, wrong=account.id)
        if state in PASSWORD_STATES:
            raise RefusedError(PASSWORD_STATES[state])
        return account

    def _issue(self, app: Row, account: Row | None, resource: str) -> dict[str, Any]:
        tokens, now = self._store.table(TOKENS, ("token",)), self._store.now()
        for row in tokens.rows():
            if row.values["expires"] <= now:
                tokens.delete(row.id)
        holder = account or app
        token = secrets.token_urlsafe(48)
        values = {
            "token": token,
            "client_id": app.id,
            "user": account.values["upn"] if account else "",
            "name": holder.values.get("name") or holder.values.get("upn", app.id),
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

    def _refusal(self, failure: Failure, words: dict[str, str]) -> Response:
        if words.get("wrong"):
            self._count_wrong_password(words["wrong"])
        trace, correlation = str(uuid4()), str(uuid4())
        timestamp = iso(self._store.now()).replace("T", " ")
        description = (
            f"AADSTS{failure.number}: {failure.text.format(**words)}"
            f"\r\nTrace ID: {trace}\r\nCorrelation ID: {correlation}"
            f"\r\nTimestamp: {timestamp}"
        )
        body = {
            "error": failure.error,
            "error_description": description,
            "error_codes": [failure.number],
            "timestamp": timestamp,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"https://login.microsoftonline.com/error?code={failure.number}",
        }
        return json_response(body, failure.status, {"Cache-Control": "no-store"})

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
        raise RefusedError(TWO_RESOURCES)
    resource, _, rest = (wanted or [""])[0].rpartition("/")
    resource = resource.rstrip("/")
    if rest not in (".default", "user_impersonation") or not resource:
        raise RefusedError(BAD_SCOPE)
    if resource == _BUSINESS_CENTRAL_SCOPE or resource.startswith(f"{base}/bc"):
        return BUSINESS_CENTRAL
    # Dataverse names its organization by the host alone.
    if resource == base or resource.startswith(f"{base}/sales"):
        return SALES
    raise RefusedError(NO_RESOURCE, resource=resource)
