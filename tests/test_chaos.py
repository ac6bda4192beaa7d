"""The benchmark of kills: what it is asked, and what it says (Shows 1)."""

from pathlib import Path

import pytest

from benchmarks import chaos


@pytest.mark.parametrize(
    "arguments",
    [
        *(["--runs", "0"], ["--runs", "-1"], ["--runs", "x"]),
        *(["--only", "-1"], ["--jobs", "0"], ["--seed", "x"]),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_starts(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        chaos.main(arguments)

    assert refused.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_each_run_has_a_database_and_a_broker_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("DATABASE_URL", "REDIS_URL", "SYNCERRORS_HTTPS"):
        monkeypatch.setenv(name, "another's")

    assert "another's" not in chaos.environment(tmp_path).values()


@pytest.mark.parametrize("runs", range(1, 61))
@pytest.mark.parametrize("seed", [1, 0, -7, 10**30])
def test_two_thirds_of_the_kills_fall_inside_a_write(seed: int, runs: int) -> None:
    reference = chaos.End(counts={p: {False: 50, True: 9} for p in chaos.PHASES})

    kills = [chaos.choose(seed, run, reference) for run in range(runs)]

    torn = [kill for kill in kills if kill.writes and kill.target == "worker"]
    assert len(torn) * 3 >= runs * 2
    assert kills == [chaos.choose(seed, run, reference) for run in range(runs)]
    assert all(1 <= kill.request <= (9 if kill.writes else 50) for kill in kills)


@pytest.mark.parametrize("run", range(4))
def test_one_run_alone_is_right_wherever_its_kill_falls(
    run: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every fourth falls on any request: made again, it was called wrong."""
    counts = {phase: {False: 50, True: 9} for phase in chaos.PHASES}
    hit = {"target": "business_central", "method": "GET", "path": "/x", "parts": []}

    def carried_out(prepared: Path, data: Path, kill: chaos.Kill | None) -> chaos.End:
        data.mkdir()
        killed = [{**hit, "at": "now"}] if kill else []
        return chaos.End(counts=counts, killed=killed)

    monkeypatch.setattr(chaos, "prepare", lambda data: None)
    monkeypatch.setattr(chaos, "carry_out", carried_out)

    assert chaos.main(["--only", str(run)]) == 0
