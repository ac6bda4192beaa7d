"""What becomes of a question that cannot be answered."""

from collections.abc import Iterator

import pytest

from integration.choices import CheckState, CheckStep
from integration.services.check_lines import CheckLine, attempted, said


def broken() -> Iterator[CheckLine]:
    yield said(CheckStep.RATES, "Looked.")
    raise ValueError("2026-02-30")


def test_a_fault_of_ours_is_told_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    looked, fault = attempted(CheckStep.CURRENCIES, broken())

    assert looked.state == CheckState.WARN
    assert fault.step == CheckStep.CURRENCIES
    assert fault.state == CheckState.FAIL
    assert fault.blocks
    assert not fault.stops
    assert "a fault in Sync Errors itself" in fault.sentence
    assert "2026-02-30" in caplog.text
