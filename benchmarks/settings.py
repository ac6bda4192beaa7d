"""The product's settings on a data directory of the benchmarks' own, with peers."""

import os
import tempfile
from pathlib import Path

os.environ.setdefault(
    "SYNCERRORS_DATA_DIR", str(Path(tempfile.gettempdir()) / "syncerrors-benchmarks")
)
os.environ["SYNCERRORS_HTTPS"] = "0"

from syncerrors.settings import *  # noqa: F403  # the environment comes first

ROOT_URLCONF = "benchmarks.peers"
ALLOWED_HOSTS = ["*"]
