"""Addresses of systems, as everybody reads them alike."""

from urllib.parse import SplitResult, urlsplit


def split_plain(address: str) -> SplitResult | None:
    """Its parts; ``None`` where a browser might go elsewhere than we do.

    It reads a backslash as a slash, and what stands before an @ is nobody's host.
    """
    if "\\" in address or "@" in address:
        return None
    try:
        return urlsplit(address)
    except ValueError:
        return None
