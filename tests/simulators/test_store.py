from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from integration.simulators.store import Row, Store, StoreError, Tombstone


class StopError(Exception):
    """Leaves a transaction."""


def names(store: Store) -> list[object]:
    return [row.values["name"] for row in store.table("t").rows()]


def test_a_row_gets_an_id_a_version_and_a_moment() -> None:
    row = Store().table("t").insert({"name": "a"}, by="me")

    assert len(row.id) == 36
    assert row.version == 1
    assert row.modified_at.tzinfo is not None
    assert row.modified_by == "me"


def test_an_update_moves_the_version_and_keeps_the_other_values() -> None:
    table = Store().table("t")
    row = table.insert({"name": "a", "city": "Nyon"})

    row = table.update(row, {"name": "b"})

    assert row.values == {"name": "b", "city": "Nyon"}
    assert row.version == 2


def test_an_id_is_taken_once_whatever_its_case() -> None:
    table = Store().table("t")
    table.insert({}, "AB")

    with pytest.raises(ValueError, match="already has a row ab"):
        table.insert({}, "ab")


def test_moments_are_whole_milliseconds_and_never_equal() -> None:
    table = Store().table("t")

    moments = [table.insert({}).modified_at for _ in range(50)]

    assert moments == sorted(set(moments))
    assert all(moment.microsecond % 1000 == 0 for moment in moments)


def test_find_ignores_case_with_and_without_an_index() -> None:
    store = Store()
    plain, indexed = store.table("a"), store.table("b", ("name",))

    for table in (plain, indexed):
        row = table.insert({"name": "KÄSER"})
        assert table.find("name", "käser") == [row]
        table.update(row, {"name": "Other"})
        assert table.find("name", "käser") == []


def test_an_index_declared_later_knows_the_rows_before_it() -> None:
    store = Store()
    row = store.table("t").insert({"name": "a"})

    assert store.table("t", ("name",)).find("name", "A") == [row]


def test_changes_are_ordered_and_include_deletions() -> None:
    table = Store().table("t")
    first, second, third = (table.insert({"name": n}) for n in "abc")
    mark = third.version

    table.delete(second.id)
    table.update(first, {"name": "z"})

    changes = table.changes_since(mark)
    assert [change.id for change in changes] == [second.id, first.id]
    assert isinstance(changes[0], Tombstone)


def test_a_row_that_comes_back_leaves_no_tombstone() -> None:
    table = Store().table("t")
    table.insert({}, "a")
    table.delete("a")

    table.insert({}, "a")

    assert [type(change) for change in table.changes_since(0)] == [Row]


def test_an_exception_takes_everything_back() -> None:
    store = Store()
    table = store.table("t", ("name",))
    kept, gone = table.insert({"name": "kept"}), table.insert({"name": "gone"})
    before = table.changes_since(0)

    with suppress(StopError), store.transaction():
        table.update(kept, {"name": "changed"})
        table.delete(gone.id)
        table.insert({"name": "new"})
        store.set_setting("x", 1)
        raise StopError

    assert names(store) == ["kept", "gone"]
    assert table.find("name", "changed") == []
    assert table.changes_since(0) == before
    assert store.setting("x") is None


def test_a_savepoint_takes_back_only_its_own_changes() -> None:
    store = Store()
    table = store.table("t")

    with store.transaction():
        table.insert({"name": "outer"})
        with suppress(StopError), store.transaction():
            table.insert({"name": "inner"})
            raise StopError

    assert names(store) == ["outer"]


def test_everything_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "simulators.sqlite3"
    store = Store(path)
    table = store.table("t")
    rows = [table.insert({"name": n, "rate": Decimal("1.50")}) for n in "abc"]
    rows[0] = table.update(rows[0], {"at": datetime(2026, 1, 2, tzinfo=UTC)})
    table.delete(rows[1].id)
    store.set_setting("faults", [{"left": Decimal("2")}])
    store.close()

    again = Store(path)
    assert again.table("t").rows() == [rows[0], rows[2]]
    assert str(again.table("t").rows()[0].values["rate"]) == "1.50"
    assert again.table("t").changes_since(0)[-1].id == rows[1].id
    assert again.version == store.version
    assert again.setting("faults") == [{"left": Decimal(2)}]
    again.close()


def test_a_roll_back_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "simulators.sqlite3"
    store = Store(path)
    with suppress(StopError), store.transaction():
        store.table("t").insert({"name": "a"})
        raise StopError
    store.close()

    again = Store(path)
    assert len(again.table("t")) == 0
    again.close()


def test_a_file_that_is_no_database_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "simulators.sqlite3"
    path.write_bytes(b"not a database, but long enough to be looked at" * 30)

    with pytest.raises(StoreError, match=r"simulators\.sqlite3 cannot be used"):
        Store(path)


def test_the_clock_moves_there_and_back() -> None:
    store = Store()
    row = store.table("t").insert({})

    store.move_clock(-3600)

    later = store.table("t").insert({})
    assert later.modified_at < row.modified_at - timedelta(minutes=59)


def test_a_reset_forgets_rows_and_settings_but_not_versions_or_requests() -> None:
    store = Store()
    table = store.table("t", ("name",))
    table.insert({"name": "a"})
    store.set_setting("x", 1)
    store.log_request({"path": "/"})

    store.reset()

    assert len(table) == 0
    assert table.find("name", "a") == []
    assert store.setting("x") is None
    assert table.insert({}).version > 2
    assert store.requests() == [{"n": 1, "path": "/"}]


def test_the_log_is_read_from_a_number_on() -> None:
    store = Store()
    for path in "abc":
        store.log_request({"path": path})

    assert [entry["path"] for entry in store.requests(since=1)] == ["b", "c"]


def test_a_full_or_closed_file_is_a_sentence_and_nothing_changed() -> None:
    store = Store()
    store.close()

    with pytest.raises(StoreError, match="cannot save"):
        store.table("t").insert({"name": "a"})

    assert len(store.table("t")) == 0


def test_what_cannot_be_kept_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot be kept"):
        Store().table("t").insert({"name": object()})
