"""SQLite's write lock: given in turn, never lost."""

import sqlite3
import threading
import time

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from app.db import Outage, get_engine, outage, session_scope
from app.settings import get_settings
from app.sqlite import WriteQueue


def test_the_lock_is_handed_on_in_the_order_in_which_it_was_asked_for() -> None:
    queue, order = WriteQueue(), []
    assert queue.acquire(0)

    def wait(number: int) -> None:
        assert queue.acquire(30)
        order.append(number)
        queue.release()

    threads = []
    for number in range(20):
        threads.append(threading.Thread(target=wait, args=(number,)))
        threads[-1].start()
        while len(queue._waiting) <= number:
            time.sleep(0.001)
    queue.release()
    for thread in threads:
        thread.join()
    assert order == list(range(20))


def test_whoever_gives_up_waiting_is_passed_over() -> None:
    queue = WriteQueue()
    assert queue.acquire(0)
    assert not queue.acquire(0.01)
    queue.release()
    assert queue.acquire(0)


@pytest.mark.usefixtures("sqlite")
def test_a_writer_whose_turn_does_not_come_is_told_that_the_database_is_busy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANNOTUNE_LOCK_SECONDS", "0.2")
    get_settings.cache_clear()
    statement = text("SELECT 1")
    with session_scope() as first, get_engine().connect() as second:
        first.execute(statement)
        with pytest.raises(OperationalError) as caught:
            second.execute(statement)
    assert outage(caught.value) is Outage.BUSY


@pytest.mark.usefixtures("sqlite")
def test_the_lock_is_free_again_however_a_transaction_ends() -> None:
    write = text("UPDATE users SET name = name")
    with session_scope() as session:
        session.execute(write)
    with session_scope() as session, pytest.raises(OperationalError):
        session.execute(text("UPDATE no_such_table SET name = name"))
    with session_scope() as session:
        session.execute(write)
        session.rollback()
    connection = get_engine().connect()
    connection.execute(write)
    connection.invalidate()
    connection.close()
    connection = get_engine().connect()
    connection.execute(write)
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    driver.close()  # under the hands of whoever uses it
    connection.invalidate()
    connection.close()
    with session_scope() as session:
        session.execute(write)
