"""The planted bugs fit the code as it is, so that looking for them means something."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.statemachine.find_planted import TREE, patches


def test_there_are_at_least_ten_planted_bugs() -> None:
    assert len(patches()) >= 10


@pytest.mark.parametrize("patch", patches(), ids=lambda patch: patch.stem)
def test_each_planted_bug_still_applies_and_compiles(
    patch: Path, tmp_path: Path
) -> None:
    (name,) = (
        line.removeprefix("+++ b/")
        for line in patch.read_text().splitlines()
        if line.startswith("+++ ")
    )
    file = tmp_path / name
    file.parent.mkdir(parents=True)
    shutil.copy(TREE / name, file)
    before = file.read_text()

    done = subprocess.run(  # noqa: S603  # our own command
        ["git", "apply", "--whitespace=nowarn", str(patch)],  # noqa: S607
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, f"plant it again: {done.stderr}"
    assert file.read_text() != before, "nothing of it took hold"
    compile(file.read_text(), name, "exec")
