"""One WSGI application for both systems, the token endpoint and the controls."""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any
from urllib.parse import unquote

from werkzeug.http import http_date
from werkzeug.wrappers import Request, Response

from integration import clock
from integration.simulators import pages
from integration.simulators.business_central import BusinessCentralApi, refused
from integration.simulators.control import Control
from integration.simulators.entra import TokenEndpoint
from integration.simulators.faults import KNOWN, Fault, Faults
from integration.simulators.http import (
    BUSINESS_CENTRAL,
    ENTRA,
    SALES,
    SimulatorError,
    iso,
    json_response,
    notes,
)
from integration.simulators.kills import (
    AFTER_WRITE,
    BEFORE,
    WRITES,
    End,
    Kill,
    asks_to_write,
    has_hung_up,
)
from integration.simulators.limits import FIGURES, Limits
from integration.simulators.sales import SalesApi
from integration.simulators.store import Store

_TOKEN = re.compile(r"/([^/]+)/oauth2/v2\.0/token")
_PLACES = (
    ("control", re.compile(r"/control(/|$)")),
    (ENTRA, _TOKEN),
    (BUSINESS_CENTRAL, re.compile(r"/bc/v2\.0/.*?/api/v2\.0(/|$)")),
    (SALES, re.compile(r"/sales/api/data/")),
)
_WEB_PAGE = (
    "<!DOCTYPE html><html><head><title>Sign in</title></head><body></body></html>"
)
_HUNG_UP = 499  # for the request log: who asked has gone, and nothing was done


class AnswerLostError(ConnectionError):
    """The connection is cut before the answer: a fault, or who asked was killed."""


class Simulators:
    """Both systems in front of one store.

    ``fresh`` fills it after a reset, ``end`` kills a process of the supervisor.
    """

    def __init__(
        self,
        store: Store,
        fresh: Callable[[Store], object] | None = None,
        end: End = lambda target: None,
    ) -> None:
        self.store = store
        self._end = end
        self._faults = Faults.of(store)
        self._limits = Limits(store)
        self._control = Control(store, fresh)
        self._entra = TokenEndpoint(store)
        self._business_central = BusinessCentralApi(store)
        self._sales = SalesApi(store)

    def wsgi(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        request = Request(environ)
        target = _target(request.path)
        if target == "control":
            return self._control.handle(request)(environ, start_response)
        kill = self._kill(request, target)
        response = self._observed(request, target, kill)
        response.headers["Date"] = http_date(self.store.now())
        return kill.amid(response(environ, start_response))

    def _kill(self, request: Request, target: str) -> Kill:
        due = self._faults.kill_due(target, partial(asks_to_write, request))
        return Kill(self._end, *(due or ()))

    def _observed(self, request: Request, target: str, kill: Kill) -> Response:
        """Answer, with today's faults, and write it into the request log."""
        started = clock.monotonic()
        if wait := self._faults.latency_seconds():
            clock.sleep(wait)
        lost = kill.at(BEFORE) and has_hung_up(request.environ)
        if lost:
            response = Response(status=_HUNG_UP)
        else:
            response = self._answer_or_fault(request, target)
        kill.at(AFTER_WRITE)
        notes(request).fault = str(kill) or notes(request).fault
        wrote = _wrote(request, target, response)
        if wrote and self._faults.drops_after_write(target):
            notes(request).fault, lost = "drop_after_write", True
        self._faults.save()
        self._log(request, target, response, started)
        if lost:
            raise AnswerLostError("This answer is lost on purpose.")
        return response

    def _answer_or_fault(self, request: Request, target: str) -> Response:
        text = request.path
        if text.endswith("$batch"):
            text += request.get_data().decode("utf-8", "replace")
        found = self._faults.for_request(target, request.method, text)
        if found:
            return _faulty(request, target, *found)
        figures = self._faults.limits(target) if target in FIGURES else None
        if figures is None:
            return self._answer(request, target)
        with self._limits.turn(request, target, figures) as refusal:
            if refusal:
                name, particular = refusal
                return _faulty(request, target, KNOWN[name], particular)
            return self._answer(request, target)

    def _answer(self, request: Request, target: str) -> Response:
        if target == BUSINESS_CENTRAL:
            return self._business_central.handle(request)
        if target == SALES:
            return self._sales.handle(request)
        if target != ENTRA:
            return pages.handle(self.store, request)
        found = _TOKEN.fullmatch(request.path)
        if found is None or request.method != "POST":
            return Response("Not found", 404, content_type="text/plain")
        return self._entra.handle(request, unquote(found[1]))

    def _log(
        self, request: Request, target: str, response: Response, started: float
    ) -> None:
        noted = notes(request)
        query = request.query_string.decode("ascii", "replace")
        entry = {
            "at": iso(self.store.now(), milliseconds=True),
            "target": target,
            "method": request.method,
            "path": f"{request.path}?{query}" if query else request.path,
            "status": response.status_code,
            "records": noted.records if response.status_code < 400 else 0,
            "entity": noted.entity,
            "parts": noted.parts,
            "client": noted.client,
            "ms": round((clock.monotonic() - started) * 1000),
            "fault": noted.fault,
        }
        self.store.log_request(entry)


def _target(path: str) -> str:
    for name, pattern in _PLACES:
        if pattern.match(path):
            return name
    return "page"


def _wrote(request: Request, target: str, response: Response) -> bool:
    """Whether the request changed anything; a batch does if one part did."""
    if target not in (BUSINESS_CENTRAL, SALES):
        return False
    if request.method not in WRITES or response.status_code >= 400:
        return False
    parts = notes(request).parts
    if not parts:
        return not request.path.endswith("$batch")
    return any(part["method"] in WRITES and part["status"] < 400 for part in parts)


def _faulty(
    request: Request, target: str, fault: Fault, asked: Mapping[str, Any]
) -> Response:
    """``retry_after`` of the asked fault replaces the header; null removes it."""
    notes(request).fault = fault.id
    if fault.place == "page":
        return Response(_WEB_PAGE, fault.status, content_type="text/html")
    seconds = asked.get("retry_after", fault.retry_after)
    headers = {} if seconds is None else {"Retry-After": str(seconds)}
    message = str(asked.get("message", fault.message))
    error = {"code": fault.code, "message": message}
    if target == BUSINESS_CENTRAL:
        answer = refused(SimulatorError(fault.status, fault.code, message))
        if isinstance(answer.body, str):
            headers["Content-Type"] = "text/plain"
            return Response(answer.body, fault.status, headers)
        return json_response(answer.body, fault.status, headers)
    if target == ENTRA:
        codes = [int(number) for number in re.findall(r"AADSTS(\d+)", message)]
        said = {"error": fault.code, "error_description": message}
        return json_response({**said, "error_codes": codes}, fault.status, headers)
    if not fault.code:
        return Response(b"", fault.status, headers)
    return json_response({"error": error}, fault.status, headers)
