"""The product's settings on a data directory of the test run's own."""

import atexit
import os
import shutil
import tempfile

_data = tempfile.mkdtemp(prefix="syncerrors-tests-")
atexit.register(shutil.rmtree, _data, ignore_errors=True)
os.environ["SYNCERRORS_DATA_DIR"] = _data
os.environ["SYNCERRORS_HTTPS"] = "0"
# Playwright runs an event loop in the thread of the test; our code has none.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"

from syncerrors.settings import *  # noqa: E402, F403  # the environment comes first

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
database_settings = globals()["DATABASES"]["default"]
if database_settings["ENGINE"] == "syncerrors.sqlite":
    # In memory, also where pytest adds the name of one of its processes.
    name = "file:tests?mode=memory&cache=shared&process="
    database_settings["TEST"] = {"NAME": name}
globals()["STATIC_ROOT"] = None
"""whitenoise serves from the finders here; there is no collected folder"""
WHITENOISE_AUTOREFRESH = True
"""It finds a file when it is asked for, instead of all of them for each new client."""
globals()["CELERY_BROKER_URL"] = f"redis+socket://{_data}/no-broker.sock"
"""No test reaches a broker that does not ask for one."""
