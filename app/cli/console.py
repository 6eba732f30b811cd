"""What the commands say: plain lines and tables on standard output, errors as sentences on standard error."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import orjson
import typer

from app.errors import AnnotuneError, InvalidInput


def say(line: str) -> None:
    """One line for the person."""
    typer.echo(line)


def complain(line: str) -> None:
    """One line on standard error."""
    typer.echo(line, err=True)


@contextmanager
def plain_errors() -> Iterator[None]:
    """Errors that a person can mend, as sentences and not as a traceback; the exit code is 1."""
    try:
        yield
    except AnnotuneError as error:
        complain(error.message)
        for problem in error.problems if isinstance(error, InvalidInput) else ():
            if problem.message not in error.message:
                complain(f"  {problem.where}: {problem.message}")
        raise typer.Exit(1) from None
    except Exception as error:
        from sqlalchemy.exc import SQLAlchemyError  # here: commands that use no database are quick

        if _is_full(error):
            where = getattr(error, "filename", None)
            complain(
                f"The disk is full{f' ({where})' if where else ''}: not all could be written. What was there before "
                "is as it was. Make room, or name another place, then try again."
            )
            raise typer.Exit(1) from None
        if not isinstance(error, SQLAlchemyError):
            raise
        cause = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        complain(f"The database does not work: {cause}")
        raise typer.Exit(1) from None


def _is_full(error: Exception) -> bool:
    from app.db import Outage, outage
    from app.storage import is_full

    code = getattr(error, "sqlite_errorcode", None)
    return is_full(error) or outage(error) is Outage.FULL or code == sqlite3.SQLITE_FULL


def show(rows: Sequence[dict[str, Any]], *, as_json: bool, none: str) -> None:
    """Rows as aligned columns under their names, or as a JSON list; `none` is said where there are none."""
    if as_json:
        typer.echo(orjson.dumps(list(rows), option=orjson.OPT_INDENT_2).decode())
    elif not rows:
        say(none)
    else:
        _table([list(rows[0]), *([_cell(value) for value in row.values()] for row in rows)])


def _table(rows: Sequence[Sequence[str]]) -> None:
    from rich.cells import cell_len

    # By hand: rich would shorten cells to the width of the terminal, and scripts could not read them.
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells: Iterable[str] = (
            cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)
        )
        say("  ".join(cells).rstrip())


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value in (None, "") else " ".join(str(value).split())
