"""Many rows into a table at the driver's own speed: COPY on PostgreSQL, executemany with tuples on SQLite."""

from collections.abc import Sequence
from typing import Any

import orjson
import psycopg
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    String,
    Table,
    any_,
    cast,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import REGCLASS
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import InstrumentedAttribute

Row = tuple[Any, ...]


def insert_rows(
    connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Row]
) -> None:
    """Insert rows whose values are as the driver has them: JSON as text (`as_json`), all others by `stored`."""
    if not rows:
        return
    names = ", ".join(columns)
    if connection.dialect.name != "postgresql":
        places = ", ".join("?" * len(columns))
        connection.exec_driver_sql(
            f"INSERT INTO {table.name} ({names}) VALUES ({places})",  # noqa: S608 - names of the code
            list(rows),
        )
        return
    statement = f"COPY {table.name} ({names}) FROM STDIN"
    try:
        with connection.connection.cursor() as cursor, cursor.copy(statement) as copy:  # type: ignore[attr-defined]
            for row in rows:
                copy.write_row(row)
    except psycopg.Error as error:  # as SQLAlchemy tells it, for `db.outage`
        raise DBAPIError.instance(statement, None, error, psycopg.Error) from error


def among(
    connection: Connection, column: InstrumentedAttribute[str], values: list[str]
) -> ColumnElement[bool]:
    """Whether a column is one of many values, which are one parameter of the statement."""
    if connection.dialect.name == "postgresql":
        return column == any_(cast(values, ARRAY(String)))
    return column.in_(select(func.json_each(as_json(values)).table_valued("value").c.value))


def as_json(value: Any) -> str:
    """The value as a JSON column stores it."""
    return orjson.dumps(value).decode()


def stored(connection: Connection, table: Table, column: str, value: Any) -> Any:
    """The value as the driver stores it in this column."""
    kind = table.c[column].type
    processor = kind.dialect_impl(connection.dialect).bind_processor(connection.dialect)
    return processor(value) if processor else value


def new_ids(connection: Connection, table: Table, count: int) -> list[int]:
    """Ids for so many rows, in order. On SQLite the transaction has the write lock, so nobody else takes them."""
    if connection.dialect.name == "postgresql":
        name = connection.scalar(select(func.pg_get_serial_sequence(table.name, "id")))
        new = select(func.nextval(cast(name, REGCLASS)))
        return sorted(connection.scalars(new.select_from(func.generate_series(1, count))))
    given = connection.scalar(
        text("SELECT seq FROM sqlite_sequence WHERE name = :name"), {"name": table.name}
    )
    return list(range((given or 0) + 1, (given or 0) + 1 + count))
