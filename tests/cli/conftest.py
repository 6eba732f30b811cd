"""The command line as a person types it."""

from collections.abc import Callable, Iterator

import pytest
import structlog
from click.testing import Result
from typer.testing import CliRunner

from app.cli import command_line
from app.models import User
from tests.factories import make_user

Annotune = Callable[..., Result]


@pytest.fixture
def annotune(sqlite: str) -> Iterator[Annotune]:
    """`annotune("projects", "--json")`: what it printed and its exit code."""
    before = structlog.get_config()
    runner = CliRunner()

    def run(*words: object, typed: str | None = None) -> Result:
        return runner.invoke(command_line(), [str(word) for word in words], input=typed)

    yield run
    structlog.configure(**before)


@pytest.fixture
def ada(annotune: Annotune) -> User:
    """The administrator."""
    return make_user("Ada", admin=True)
