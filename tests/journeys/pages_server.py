"""The pages on a port, with the rows of a scene: a process of its own.

``python -m tests.journeys.pages_server full`` prints one line of JSON (url, sessions,
keys) and serves until its standard input ends. It has its own database and never shares
one with the test run.
"""

import json
import os
import sys
import threading
from contextlib import ExitStack

import django


def main(scene: str) -> None:
    """Make the rows, serve, end with the parent."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.core.wsgi import get_wsgi_application
    from django.test import Client
    from werkzeug.serving import WSGIRequestHandler, make_server

    from integration.models import User
    from tests.journeys.scene import (
        lengthen_names,
        make_answers,
        make_nobody,
        make_scene,
    )
    from tests.running import running_systems
    from tests.services.engine import running_engine

    class Silent(WSGIRequestHandler):
        def log(self, type: str, message: str, *args: object) -> None:
            """A test's standard error is for its own words."""

    call_command("migrate", verbosity=0)
    with ExitStack() as stack:
        if scene == "nobody":
            keys = make_nobody()
        else:
            keys = make_scene()
            systems = stack.enter_context(running_systems(records=4))
            keys |= make_answers(stack.enter_context(running_engine(systems)))
        if scene == "long":
            lengthen_names()
        # The full scene shows what was told; the empty one, how to turn it on.
        settings.ALERTS_BY_MAIL = scene != "nobody"
        settings.EMAIL_HOST = "mail.example.com"
        settings.ROOT_URLCONF = "tests.journeys.troubles"
        sessions = {}
        for user in User.objects.all():
            client = Client()
            client.force_login(user)
            sessions[user.username] = client.cookies[settings.SESSION_COOKIE_NAME].value
        server = make_server(
            *("127.0.0.1", 0, get_wsgi_application()),
            threaded=True,
            request_handler=Silent,
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.port}"
        told = {"url": url, "sessions": sessions, "keys": keys}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main(sys.argv[1])
