"""What a database consists of, for comparing an upgraded one with a new one."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg

ON_POSTGRESQL = (
    "SELECT table_name, column_name, data_type, is_nullable, column_default, "
    "generation_expression FROM information_schema.columns "
    "WHERE table_schema = 'public'",
    "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) "
    "FROM pg_constraint WHERE connamespace = 'public'::regnamespace",
    "SELECT proname, prosrc FROM pg_proc WHERE proname LIKE 'integration%'",
)


def parts(statement: str) -> list[str]:
    """Columns and constraints in an order of their own: a rebuilt table moves them."""
    words = re.sub(r"\s+", " ", statement)
    depth, found = 0, [""]
    for letter in words:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and depth == 1:
            found.append("")
        else:
            found[-1] += letter
    name, _, first = found[0].partition("(")
    return sorted([name, first, *found[1:-1], found[-1].removesuffix(")")])


def sqlite_schema(data: Path) -> dict[str, list[str]]:
    with closing(sqlite3.connect(data / "syncerrors.sqlite3")) as database:
        made = database.execute("SELECT name, sql FROM sqlite_master WHERE sql <> ''")
        return {
            name: [part.strip() for part in parts(statement)]
            for name, statement in made.fetchall()
        }


def postgresql_schema(url: str) -> list[list[tuple[object, ...]]]:
    with psycopg.connect(url) as database:
        return [sorted(database.execute(one), key=str) for one in ON_POSTGRESQL]
