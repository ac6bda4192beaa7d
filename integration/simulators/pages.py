"""A plain page for each record, so that the product's links lead somewhere.

Like the real systems' own pages: whoever saves here is a person, the rules of the
API hold, and modified times and versions move.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from werkzeug.wrappers import Request, Response

from integration.simulators.http import SimulatorError
from integration.simulators.pages_business_central import business_central_form
from integration.simulators.pages_entra import app_form, user_form
from integration.simulators.pages_form import RecordForm, refilled
from integration.simulators.pages_html import message_page, render
from integration.simulators.pages_sales import sales_form
from integration.simulators.store import Store

__all__ = ["handle"]

Finder = Callable[[Store, Mapping[str, str]], RecordForm | None]


def handle(store: Store, request: Request) -> Response:
    """The page at this address: shown, saved or deleted."""
    finder = finder_of(store, request.path)
    if finder is None:
        return html(message_page("Not found", "There is no page at this address."), 404)
    with store.lock:
        form = finder(store, request.args)
        if form is None:
            return gone()
        if request.method == "POST":
            return posted(request, form)
        return html(render(form.show()))


def finder_of(store: Store, path: str) -> Finder | None:
    """Which system's pages these are. BC's stand below tenant and environment."""
    parts = path.strip("/").split("/")
    if parts[0] == "bc" and len(parts) == 3:
        known = (store.setting("tenant"), store.setting("environment"))
        return business_central_form if tuple(parts[1:]) == known else None
    finders: dict[str, Finder] = {
        "sales/main.aspx": sales_form,
        "entra/users": user_form,
        "entra/apps": app_form,
    }
    return finders.get("/".join(parts))


def posted(request: Request, form: RecordForm) -> Response:
    if not same_origin(request):
        sentence = "This page can only be saved from itself."
        return html(message_page("Not saved", sentence), 403)
    typed = request.form.to_dict()
    try:
        if typed.pop("action", "save") == "delete" and form.delete:
            form.delete()
            return html(message_page("Deleted", "This record was deleted."))
        form.save(typed)
    except SimulatorError as error:
        page = replace(refilled(form.show(), typed), refusal=error.message)
        return html(render(page), 400)
    return html(render(replace(form.show(), notice="Saved.")))


def same_origin(request: Request) -> bool:
    """A browser names the page that posts; other pages must not post here."""
    origin = request.headers.get("Origin", "")
    return not origin or urlsplit(origin).netloc == request.host


def gone() -> Response:
    return html(message_page("Not found", "This record no longer exists."), 404)


def html(text: str, status: int = 200) -> Response:
    return Response(text, status, content_type="text/html; charset=utf-8")
