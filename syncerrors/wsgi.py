"""The web entry point: ``gunicorn syncerrors.wsgi``."""

import os
from importlib import import_module

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "syncerrors.settings")
# whitenoise warns of a folder that is missing, also where nobody collects files.
settings.DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
settings.STATIC_ROOT.mkdir(exist_ok=True)

application = get_wsgi_application()
# Else the first person's click waits until every page's module is loaded.
import_module(settings.ROOT_URLCONF)
