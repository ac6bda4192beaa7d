"""Does the state machine find what somebody breaks? One line for each planted bug.

    python tests/statemachine/find_planted.py [NAME …]

Each patch of ``planted/`` is applied to a copy of the tree, and the sequences run there
until one fails. Exits 1 if a bug stays unfound. Not part of CI.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).resolve().parent
TREE = HERE.parents[1]
TEST = (
    *(sys.executable, "-m", "pytest", "-m", "statemachine", "-n", "0", "-q"),
    *("--hypothesis-profile=first-failure", "--show-capture=no", "--tb=short"),
    *("-p", "no:randomly", "tests/statemachine"),
)


def main(names: Iterable[str]) -> int:
    patches = [HERE / "planted" / f"{name}.patch" for name in names]
    unfound = 0
    for patch in patches or sorted((HERE / "planted").glob("*.patch")):
        started = time.monotonic()
        said = find(patch)
        unfound += said == ""
        seconds = time.monotonic() - started
        line = f"{patch.stem:40} {seconds:5.0f} s  {said or 'NOT FOUND'}\n"
        sys.stdout.write(line)
        sys.stdout.flush()
    return 1 if unfound else 0


def find(patch: Path) -> str:
    """What failed, in short; "" when nothing did."""
    with tempfile.TemporaryDirectory(prefix="sync-errors-planted-") as folder:
        copy_tracked(Path(folder))
        run("git", "apply", "--whitespace=nowarn", str(patch), folder=folder)
        done = subprocess.run(  # noqa: S603  # our own command
            TEST, cwd=folder, capture_output=True, text=True, check=False
        )
    if done.returncode == 0:
        return ""
    if done.returncode != 1:
        raise SystemExit(f"{patch.stem}: {done.stdout}\n{done.stderr}")
    lines = [line for line in done.stdout.splitlines() if line.startswith("E   ")]
    if "1 failed" not in done.stdout or not lines:
        raise SystemExit(f"{patch.stem}: {done.stdout}\n{done.stderr}")
    return lines[0][1:].strip()[:100]


def copy_tracked(folder: Path) -> None:
    listed = run("git", "ls-files", "-z", folder=str(TREE))
    for name in filter(None, listed.split("\0")):
        if (TREE / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(TREE / name, folder / name)


def run(*command: str, folder: str) -> str:
    done = subprocess.run(  # noqa: S603  # our own command
        command, cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
