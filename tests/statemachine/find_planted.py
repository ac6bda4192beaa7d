"""Does the state machine find what somebody breaks? One line for each planted bug.

    python tests/statemachine/find_planted.py [NAME …] [--seconds 900] [--jobs 1]

Each patch of ``planted/`` is applied to a copy of the tree, and the sequences run there
until one fails, or until the time for one bug is over. Exits 1 if a bug stays unfound.
Not part of CI; that every patch still applies is (``test_planted.py``).
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
TREE = HERE.parents[1]
PLANTED = HERE / "planted"
TEST = (
    *(sys.executable, "-m", "pytest", "-m", "statemachine", "-n", "0", "-q", "-x"),
    *("--hypothesis-profile=first-failure", "--show-capture=no", "--tb=short"),
    *("-p", "no:randomly", "tests/statemachine/test_statemachine.py"),
)
SHOWN = 100


@dataclass(frozen=True)
class Verdict:
    """``said`` is what failed, in short; "" when nothing did."""

    name: str
    seconds: float
    said: str

    def __str__(self) -> str:
        found = "found" if self.said else "NOT FOUND"
        return f"{self.name:40} {self.seconds:5.0f} s  {found:9}  {self.said}".rstrip()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these")
    parser.add_argument("--seconds", type=int, default=900, help="for each bug")
    parser.add_argument("--jobs", type=int, default=1, help="bugs looked for at once")
    options = parser.parse_args(arguments)
    chosen = [PLANTED / f"{name}.patch" for name in options.names] or patches()
    started, verdicts = time.monotonic(), []
    with ThreadPoolExecutor(options.jobs) as pool:
        for verdict in pool.map(lambda patch: find(patch, options.seconds), chosen):
            verdicts.append(verdict)
            tell(str(verdict))
    found = [verdict for verdict in verdicts if verdict.said]
    seconds = time.monotonic() - started
    tell(f"{len(found)} of {len(verdicts)} planted bugs found, {seconds:.0f} s")
    return 0 if len(found) == len(verdicts) else 1


def patches() -> list[Path]:
    return sorted(PLANTED.glob("*.patch"))


def find(patch: Path, seconds: float) -> Verdict:
    """Raises SystemExit if something else fails than what the sequences assert."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sync-errors-planted-") as folder:
        copy_tracked(Path(folder))
        run("git", "apply", "--whitespace=nowarn", str(patch), folder=folder)
        try:
            done = subprocess.run(  # noqa: S603  # our own command
                TEST,
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
                timeout=seconds,
            )
        except subprocess.TimeoutExpired:
            return Verdict(patch.stem, time.monotonic() - started, "")
    lines = [line for line in done.stdout.splitlines() if line.startswith("E   ")]
    if done.returncode not in (0, 1) or (done.returncode == 1 and not lines):
        raise SystemExit(f"{patch.stem}: {done.stdout}\n{done.stderr}")
    said = lines[0][1:].strip()[:SHOWN] if lines else ""
    return Verdict(patch.stem, time.monotonic() - started, said)


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


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
