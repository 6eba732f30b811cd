"""The command line: `annotune up | web | worker | migrate | doctor`, and the commands for data."""

import sys
from importlib import import_module

import typer

from app.wrong_settings import WrongSettings

_RUNNING = ("up", "web", "worker")


def command_line(*words: str) -> typer.Typer:
    """The commands; for words that begin with one of those that run Annotune, these alone.

    The others import most of the application, for which a start should not wait.
    """
    app = typer.Typer(
        name="annotune",
        help="Label text, freeze versioned datasets, fine-tune models.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    more = [] if words[:1] and words[0] in _RUNNING else ["data", "training", "people", "backup"]
    for module in ("serve", *more):
        import_module(f"app.cli.{module}").register(app)
    return app


def main() -> None:
    """The `annotune` command."""
    try:
        command_line(*sys.argv[1:])()
    except WrongSettings as error:  # wherever they are asked for first
        print(error.message, file=sys.stderr)
        sys.exit(1)
