"""Which machines everything-on-one-machine runs on (D1)."""

import platform
import sys


def unsuited() -> str:
    """A sentence for a machine the embedded broker has no binary for; "" if it fits."""
    here: str = sys.platform
    if here == "darwin":
        return ""
    if here.startswith("linux"):
        libc, _ = platform.libc_ver()
        return "" if libc == "glibc" else _sentence("Linux without glibc")
    return _sentence(platform.system() or here)


def _sentence(here: str) -> str:
    return (
        f"This command needs Linux with glibc, or macOS; here is {here}. On Windows "
        f"use WSL; elsewhere a container with Debian, or a Redis of your own "
        f"(REDIS_URL) with the standard commands of docs/deploy.md."
    )
