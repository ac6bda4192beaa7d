"""Which machines can run everything at once."""

import pytest

from integration.management.machine import unsuited


@pytest.mark.parametrize(
    ("platform", "libc", "fits"),
    [
        ("linux", ("glibc", "2.36"), True),
        ("darwin", ("", ""), True),
        ("linux", ("", ""), False),
        ("win32", ("", ""), False),
    ],
)
def test_a_machine_that_does_not_fit_is_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
    platform: str,
    libc: tuple[str, str],
    fits: bool,
) -> None:
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr("platform.libc_ver", lambda: libc)

    assert (unsuited() == "") is fits
    assert fits or "WSL" in unsuited()
