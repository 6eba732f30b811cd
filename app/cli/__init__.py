"""The command line: `annotune up | web | worker | migrate | doctor`, and the commands for data."""

import typer

from app.cli import backup, data, people, serve, training

app = typer.Typer(
    name="annotune",
    help="Label text, freeze versioned datasets, fine-tune models.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for module in (serve, data, training, people, backup):
    module.register(app)


def main() -> None:
    """The `annotune` command."""
    app()
