"""The commands for people, their tokens, and what is said before anybody is there."""

from contextlib import suppress
from datetime import timedelta

import orjson
import pytest

from app.db import dispose, session_scope
from app.errors import TooManyAttempts
from app.models import ApiToken, LoginSession, User, now
from app.security.passwords import verify_password
from app.services import accounts, api_tokens
from app.services.log_in import Client, log_in
from app.settings import Settings
from tests.cli.conftest import Annotune
from tests.factories import PASSWORD, count, make_token, make_user


def stored(email: str) -> User:
    with session_scope(read_only=True) as session:
        return session.query(User).filter_by(email=email).one()


def test_without_tables_or_people_a_command_says_what_to_do(
    annotune: Annotune, settings: Settings
) -> None:
    nobody = annotune("projects")
    assert nobody.exit_code == 1
    assert "annotune user create" in nobody.stderr
    dispose()
    (settings.data_dir / "annotune.sqlite3").unlink()
    missing = annotune("projects")
    assert missing.exit_code == 1
    assert "annotune up" in missing.stderr
    dispose()
    (settings.data_dir / "annotune.sqlite3").touch()
    empty = annotune("projects")
    assert empty.exit_code == 1
    assert "annotune migrate" in empty.stderr
    assert annotune("migrate").exit_code == 0
    assert annotune("nonsense").exit_code == 2


def test_the_first_account_is_an_administrators(annotune: Annotune) -> None:
    made = annotune("user", "create", "Mei@Example.org", "--password-stdin", typed=f"{PASSWORD}\n")
    assert made.exit_code == 0, made.stderr
    assert "an administrator's" in made.stdout
    assert stored("mei@example.org").is_admin
    second = annotune(
        "user", "create", "bo@example.org", "--name", "Bo Li", typed=f"{PASSWORD}\n{PASSWORD}\n"
    )
    assert second.exit_code == 0, second.stderr
    assert PASSWORD not in second.output
    assert not stored("bo@example.org").is_admin
    listed = orjson.loads(annotune("user", "list", "--json").stdout)
    assert [user["name"] for user in listed] == ["Mei", "Bo Li"]


@pytest.mark.parametrize(
    ("email", "password"),
    [("nobody", PASSWORD), ("bo@example.org", "short"), ("ada@example.org", PASSWORD)],
)
def test_an_account_that_cannot_be_is_refused(
    annotune: Annotune, ada: User, email: str, password: str
) -> None:
    refused = annotune("user", "create", email, "--password-stdin", typed=f"{password}\n")
    assert refused.exit_code == 1
    assert refused.stderr.strip()
    assert count(User) == 1


def test_a_new_password_ends_all_sessions_and_the_waiting(annotune: Annotune, ada: User) -> None:
    bo = make_user("Bo")
    with session_scope() as session:
        accounts.start_session(session, bo)
    make_token(bo)
    here = Client("10.0.0.1")
    with suppress(TooManyAttempts):
        for _ in range(10):
            log_in(email=bo.email, password="wrong", client=here)
    new = "a brand new secret"
    assert annotune("user", "reset-password", "Bo", "--password-stdin", typed=new).exit_code == 0
    assert verify_password(new, stored(bo.email).password_hash)
    assert count(LoginSession) == 0
    assert count(ApiToken, ApiToken.revoked_at.is_(None)) == 0
    assert log_in(email=bo.email, password=new, client=here)
    refused = annotune(
        "user", "reset-password", ada.email, "--password-stdin", "--as", "Bo", typed=new
    )
    assert refused.exit_code == 1
    assert "administrator" in refused.stderr


def test_a_token_is_shown_once_and_can_be_revoked(annotune: Annotune, ada: User) -> None:
    made = annotune("token", "create", "nightly", "--scope", "write", "--days", "7")
    secret = made.stdout.strip()
    assert secret.startswith("ann_")
    with session_scope(read_only=True) as session:
        assert api_tokens.by_token(session, secret).actor.may_write
    listed = annotune("token", "list", "--json").stdout
    assert secret not in listed
    (token,) = orjson.loads(listed)
    assert token["scopes"] == "read,write"
    assert token["expires"] == f"{now() + timedelta(days=7):%Y-%m-%d}"
    assert token["expires"] in made.stderr
    assert annotune("token", "create", "x", "--days", "400").exit_code == 2
    assert annotune("token", "revoke", token["id"]).exit_code == 0
    assert orjson.loads(annotune("token", "list", "--json").stdout) == []
    assert annotune("token", "revoke", "222222222222").exit_code == 1


def test_a_closed_account_does_nothing(annotune: Annotune, ada: User) -> None:
    bo = make_user("Bo")
    with session_scope() as session:
        session.get_one(User, bo.id).is_active = False
    refused = annotune("token", "create", "x", "--as", "Bo")
    assert refused.exit_code == 1
    assert "closed" in refused.stderr
