"""A plain page for each record, so that the product's links lead somewhere.

Like the real systems' own pages: whoever saves here is a person, the rules of the
API hold, and modified times and versions move.
"""

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from werkzeug.wrappers import Request, Response

from integration.simulators.http import SimulatorError
from integration.simulators.pages_business_central import business_central_form
from integration.simulators.pages_entra import app_form, user_form
from integration.simulators.pages_form import RecordForm, message_page
from integration.simulators.pages_sales import sales_form
from integration.simulators.store import Store

Finder = Callable[[Store, Mapping[str, str]], RecordForm | None]
FINDERS: dict[str, Finder] = {
    "sales/main.aspx": sales_form,
    "entra/users": user_form,
    "entra/apps": app_form,
}


def handle(store: Store, request: Request) -> Response:
    """The page at this address: shown, saved or deleted."""
    finder = _finder_of(store, request.path)
    if finder is None:
        return _html(
            message_page("Not found", "There is no page at this address."), 404
        )
    with store.lock:
        form = finder(store, request.args)
        if form is None:
            page = message_page("Not found", "This record no longer exists.")
            return _html(page, 404)
        if request.method == "POST":
            return _posted(request, form)
        return _html(form.show().render())


def _finder_of(store: Store, path: str) -> Finder | None:
    """Which system's pages these are. BC's stand below tenant and environment."""
    place = path.strip("/")
    known = f"bc/{store.setting('tenant')}/{store.setting('environment')}"
    return business_central_form if place == known else FINDERS.get(place)


def _posted(request: Request, form: RecordForm) -> Response:
    # A browser names the page that posts; other pages must not post here.
    origin = request.headers.get("Origin", "")
    if origin and urlsplit(origin).netloc != request.host:
        sentence = "This page can only be saved from itself."
        return _html(message_page("Not saved", sentence), 403)
    typed = request.form.to_dict()
    try:
        if typed.pop("action", "save") == "delete" and form.deletable:
            form.delete()
            return _html(message_page("Deleted", "This record was deleted."))
        form.save(typed)
    except SimulatorError as error:
        return _html(form.show().refilled(typed).render(refusal=error.message), 400)
    return _html(form.show().render(notice="Saved."))


def _html(text: str, status: int = 200) -> Response:
    return Response(text, status, content_type="text/html; charset=utf-8")
