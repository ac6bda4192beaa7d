"""The spool keeps what a run reads, and finds who belongs together."""

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from integration.core.records import Record, System
from integration.core.snapshots import Snapshot, snapshots
from integration.services import spool as spools
from integration.services.spool import IN_MEMORY, Spool
from tests.core.tables import CUSTOMER

BC, SALES = System.BUSINESS_CENTRAL, System.SALES
MOMENT = datetime(2026, 11, 22, 8, tzinfo=UTC)


@pytest.fixture(params=[0, 2, IN_MEMORY])
def spool(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Spool]:
    """One that has its records in the file from the first, in mid-course, or never."""
    monkeypatch.setattr(spools, "IN_MEMORY", request.param)
    with Spool() as opened:
        yield opened


def record(id: str, **values: str) -> Snapshot:
    name = values.get("displayName", "")
    return Snapshot(id, "etag", MOMENT, values, values.get("number", ""), name)


def put(spool: Spool, side: System, *records: Snapshot, extra: bool = False) -> None:
    spool.add(side, [(each, None) for each in records], extra=extra)


def matched(spool: Spool) -> list[tuple[str, str]]:
    spool.match(CUSTOMER)
    return [(bc.id, sales.id) for part in spool.matched() for bc, sales in part]


def ambiguous(spool: Spool) -> set[str]:
    return {each.record.id for part in spool.ambiguous() for each in part}


def alone(spool: Spool, side: System) -> list[str]:
    return [each.id for part in spool.alone(side) for each in part]


def test_a_record_comes_back_as_it_went_in(spool: Spool) -> None:
    one = record("b1", number="C1", displayName="Ärzte & Söhne 東京")

    put(spool, BC, one)

    assert list(spool.alone(BC)) == [[one]]


def test_what_was_read_is_looked_at_when_it_is_asked_for(spool: Spool) -> None:
    """Each record once, whoever asks for it: its turn, a pair, the file."""
    rows = [
        Record(f"b{n}", "etag", MOMENT, {"number": f"C{n}", "displayName": f"{n}"})
        for n in range(6)
    ]
    looked_at: list[str] = []

    def make(some: Sequence[Record]) -> list[Snapshot]:
        looked_at.extend(row.id for row in some)
        return snapshots(CUSTOMER, BC, some, {})

    for part in (rows[:1], rows[1:3], rows[3:]):
        spool.add_read(BC, part, make)
    assert spool.has(BC, ["b0", "b5", "x"]) == {"b0", "b5"}
    spool.couple([(7, "b2", "s2")])

    assert [pair.bc for [pair] in spool.pairs()] == make(rows[2:3])
    found = [*spool.alone(BC, 2)]
    assert [[record.id for record in part] for part in found] == [
        ["b0", "b1"],
        ["b3", "b4"],
        ["b5"],
    ]
    assert [record for part in found for record in part] == snapshots(
        CUSTOMER, BC, [*rows[:2], *rows[3:]], {}
    )
    opened = [record.id for part in spool.open(BC, coupled=False) for record in part]
    assert opened == [row.id for row in rows]
    looked_at.remove("b2")
    assert sorted(looked_at) == [row.id for row in rows]


def test_what_was_read_again_counts_as_read_last(spool: Spool) -> None:
    make = partial(snapshots, CUSTOMER, BC, references={})
    spool.add_read(BC, [Record("b1", "old", MOMENT, {"displayName": "old"})], make)
    spool.add_read(BC, [Record("b1", "new", MOMENT, {"displayName": "new"})], make)

    [[found]] = spool.alone(BC)

    assert (found.etag, found.name) == ("new", "new")


def test_two_sides_meet_by_any_rule(spool: Spool) -> None:
    put(spool, BC, record("b1", number="C1"), record("b2", email="a@b"))
    put(spool, SALES, record("s1", number="C1"), record("s2", email="A@B "))

    assert matched(spool) == [("b1", "s1"), ("b2", "s2")]
    assert not ambiguous(spool)


def test_a_number_leaves_its_namesake_alone(spool: Spool) -> None:
    put(spool, BC, record("b1", number="C1", displayName="A"))
    put(spool, SALES, record("s1", number="C1"), record("s2", displayName="a"))

    assert matched(spool) == [("b1", "s1")]
    assert alone(spool, SALES) == ["s2"]


def test_two_candidates_make_all_of_them_ambiguous(spool: Spool) -> None:
    put(spool, BC, record("b1", displayName="A"))
    put(spool, SALES, record("s1", displayName="a"), record("s2", displayName="A."))

    assert matched(spool) == []
    assert ambiguous(spool) == {"b1", "s1", "s2"}


def test_two_rules_that_name_different_partners_are_ambiguous(spool: Spool) -> None:
    put(spool, BC, record("b1", displayName="A", email="x"))
    put(spool, SALES, record("s1", displayName="A"), record("s2", email="x"))
    put(spool, BC, record("b2", displayName="Other"))
    put(spool, SALES, record("s3", displayName="other"))

    assert matched(spool) == [("b2", "s3")]
    assert ambiguous(spool) == {"b1", "s1", "s2"}


def test_what_points_at_an_ambiguous_record_is_ambiguous(spool: Spool) -> None:
    put(spool, BC, record("b1", displayName="A"), record("b2", displayName="A"))
    put(spool, SALES, record("s1", displayName="A", email="x"))
    put(spool, BC, record("b3", displayName="C", email="x"))

    assert matched(spool) == []
    assert ambiguous(spool) == {"b1", "b2", "b3", "s1"}


def test_two_rules_that_agree_are_one_match(spool: Spool) -> None:
    put(spool, BC, record("b1", displayName="A", email="x"))
    put(spool, SALES, record("s1", displayName="A", email="x"))

    assert matched(spool) == [("b1", "s1")]


def test_namesakes_of_one_side_are_nobody_s_candidates(spool: Spool) -> None:
    put(spool, BC, record("b1", displayName="A"), record("b2", displayName="A"))

    assert matched(spool) == []
    assert alone(spool, BC) == ["b1", "b2"]


def test_a_record_that_only_helps_to_match_is_never_alone(spool: Spool) -> None:
    put(spool, SALES, record("s1", displayName="A"), extra=True)

    assert alone(spool, SALES) == []
    assert spool.count_alone(SALES) == 0


def test_at_first_there_may_be_fewer(spool: Spool) -> None:
    put(spool, BC, *(record(f"b{n}") for n in range(6)))

    parts = [[each.id for each in part] for part in spool.alone(BC, 1, 4)]

    assert parts == [["b0"], ["b1", "b2", "b3", "b4"], ["b5"]]


def test_of_pairs_too_there_may_be_fewer_at_first(spool: Spool) -> None:
    spool.add(BC, [(record(f"b{n}"), n) for n in range(6)])

    parts = [[pair.coupling for pair in part] for part in spool.pairs(1, 4)]

    assert parts == [[0], [1, 2, 3, 4], [5]]


def test_candidates_are_named(spool: Spool) -> None:
    put(spool, BC, record("b1", displayName="A"))
    put(spool, SALES, *(record(f"s{n:02}", displayName="A") for n in range(15)))
    spool.match(CUSTOMER)

    first = next(spool.ambiguous())[0]

    assert first.record.id == "b1"
    assert [each.id for each in first.candidates] == [f"s{n:02}" for n in range(10)]


def test_pairs_come_once_and_with_both_sides(spool: Spool) -> None:
    spool.add(BC, [(record("b1"), 7), (record("b2"), 8)])
    spool.add(SALES, [(record("s1"), 7)])

    found = [(p.coupling, bool(p.bc), bool(p.sales)) for c in spool.pairs(1) for p in c]

    assert found == [(7, True, True), (8, True, False)]


def test_finished_pairs_do_not_come_again(spool: Spool) -> None:
    spool.add(BC, [(record("b1"), 7), (record("b2"), 8)])

    spool.finish([7])

    assert [p.coupling for c in spool.pairs() for p in c] == [8]


def test_matched_records_become_a_pair(spool: Spool) -> None:
    put(spool, BC, record("b1", displayName="A"))
    put(spool, SALES, record("s1", displayName="A"))
    spool.match(CUSTOMER)

    spool.couple([(9, "b1", "s1")])

    [[pair]] = spool.pairs()
    assert pair.coupling == 9
    assert pair.bc
    assert pair.sales


def test_the_last_reading_of_a_record_counts(spool: Spool) -> None:
    put(spool, BC, record("b1", displayName="A"))
    put(spool, BC, record("b1", displayName="B"))
    put(spool, SALES, record("s1", displayName="A"))

    assert matched(spool) == []
    assert spool.has(BC, ["b1", "b2"]) == {"b1"}


def test_a_reading_after_the_first_look_for_partners_counts_too(spool: Spool) -> None:
    put(spool, BC, record("b1", displayName="A"), record("b2", displayName="B"))
    assert not spool.meets(CUSTOMER)
    put(spool, SALES, record("s1", displayName="A"))
    assert spool.meets(CUSTOMER)

    put(spool, BC, record("b1", displayName="C"))
    put(spool, SALES, record("s2", displayName="B"), extra=True)

    assert matched(spool) == [("b2", "s2")]


def test_what_a_whole_reading_did_not_see_is_told(spool: Spool) -> None:
    spool.see(BC, ["1", "2"])

    assert spool.unseen(BC, ["1", "3"]) == ["3"]
    spool.miss(BC, ["3"])
    assert list(spool.missed(BC)) == [["3"]]


def test_a_dropped_record_is_decided_about_no_more(spool: Spool) -> None:
    put(spool, BC, record("b1", displayName="A"))

    spool.drop(BC, ["b1"])

    assert alone(spool, BC) == []
    assert matched(spool) == []


def test_many_namesakes_cost_no_more_than_their_number(spool: Spool) -> None:
    put(spool, BC, *(record(f"b{n}", email="info@x") for n in range(3_000)))
    put(spool, SALES, *(record(f"s{n}", email="info@x") for n in range(3_000)))

    spool.match(CUSTOMER)

    assert next(spool.ambiguous())[0].record.id == "b0"
    assert list(spool.matched()) == []


def test_the_candidates_of_namesakes_cost_no_more_than_their_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    efforts: list[int] = []
    connect = sqlite3.connect

    def step() -> None:
        efforts[-1] += 1

    def counted(*place: Any, **options: Any) -> sqlite3.Connection:
        base: sqlite3.Connection = connect(*place, **options)
        base.set_progress_handler(step, 100)
        return base

    monkeypatch.setattr(sqlite3, "connect", counted)
    for count in (100, 400):
        efforts.append(0)
        with Spool() as spool:
            for side in System:
                alike = (record(f"{side}{n}", email="info@x") for n in range(count))
                put(spool, side, *alike)
            spool.match(CUSTOMER)
            assert len(ambiguous(spool)) == 2 * count

    assert efforts[1] < 6 * efforts[0]


def test_what_is_left_is_told_by_side_and_by_partner(spool: Spool) -> None:
    put(spool, BC, record("b1"), record("b2"))
    put(spool, SALES, record("s1"), extra=True)
    spool.add(BC, [(record("b3"), 7)])
    assert not spool.is_settled(BC)
    assert spool.is_settled(SALES)
    assert ids_of(spool.open(BC, coupled=False)) == ["b1", "b2", "b3"]
    assert ids_of(spool.open(BC, coupled=True)) == ["b3"]

    spool.finish([7])
    spool.drop(BC, ["b1", "b2"])

    assert spool.is_settled(BC)
    assert ids_of(spool.open(BC, coupled=False)) == []


def test_a_forgotten_record_is_not_there(spool: Spool) -> None:
    put(spool, BC, record("b1", number="C1"), record("b2", number="C2"))

    spool.forget(BC, ["b1"])

    assert spool.versions(BC, ["b1", "b2"]) == {"b2": "etag"}
    assert spool.numbered(BC, ["C1"]) == {}
    assert [each.id for each in spool.numbered(BC, ["C2"])["C2"]] == ["b2"]


def test_how_records_ended_before_is_told(spool: Spool) -> None:
    assert spool.end(BC, {"1": "inserted", "2": "skipped"}) == []
    assert spool.end(SALES, {"1": "unchanged"}) == []
    assert spool.end(BC, {"2": "modified", "3": "failed"}) == ["skipped"]

    again = spool.end(BC, {str(number): "unchanged" for number in range(9)})

    assert sorted(again) == ["failed", "inserted", "modified"]
    assert spool.end(SALES, {"1": "modified"}) == ["unchanged"]


def test_a_walk_goes_on_when_the_records_go_to_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was decided before stays so, and everything keeps its turn."""
    monkeypatch.setattr(spools, "IN_MEMORY", 6)
    with Spool() as spool:
        put(spool, BC, *(record(f"b{n}") for n in range(3)))
        spool.add(SALES, [(record(f"s{n}"), n) for n in range(3)])
        walked, paired = spool.alone(BC, 1), spool.pairs(1)
        seen = [next(walked)[0].id, next(paired)[0].coupling]
        spool.drop(BC, ["b0", "b1"])
        spool.finish([0, 1])

        put(spool, BC, record("b3"))

        seen += [each.id for part in walked for each in part]
        seen += [pair.coupling for part in paired for pair in part]
        assert seen == ["b0", 0, "b2", "b3", 2]


def ids_of(parts: Iterator[list[Snapshot]]) -> list[str]:
    return [each.id for part in parts for each in part]
