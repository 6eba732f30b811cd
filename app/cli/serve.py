"""The commands that run Annotune: up, web, worker, migrate, doctor."""

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from app import data_folder, devices
from app.cli import up as group
from app.cli.console import plain_errors, say
from app.settings import Settings, get_settings

_QUEUES = ("cpu", "gpu")

Host = Annotated[
    str | None, typer.Option(help="Address to listen on; as the settings say, if not given.")
]
Port = Annotated[
    int | None, typer.Option(min=1, max=65535, help="Port; as the settings say, if not given.")
]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (up, web, worker, migrate, doctor):
        app.command()(command)


def up(
    host: Host = None,
    port: Port = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder for everything kept.")] = None,
    verbose: Annotated[bool, typer.Option(help="Show the logs here, not in files.")] = False,
) -> None:
    """Run everything on this machine: web server, workers and, unless one is named, a broker."""
    with plain_errors():
        group.run(_settings(host, port, data_dir), verbose=verbose)


def web(
    host: Host = None,
    port: Port = None,
    migrate_first: Annotated[
        bool, typer.Option("--migrate", help="Bring the database up to date first.")
    ] = False,
) -> None:
    """Run the web server alone."""
    with plain_errors():
        settings = _settings(host, port)
        group.check_data_folder(settings)
        data_folder.keep_private(settings)
    _become(["app.server", *(["--migrate"] if migrate_first else [])])


def worker(
    queues: Annotated[
        str, typer.Option(help="Which jobs: gpu (training), cpu (the rest).")
    ] = "gpu,cpu",
    concurrency: Annotated[
        int,
        typer.Option(min=1, help="Jobs at once; with both queues, beside one training."),
    ] = 1,
    name: Annotated[str | None, typer.Option(help="Its name, unique on this machine.")] = None,
) -> None:
    """Run one worker. It trains on all GPUs that it sees; CUDA_VISIBLE_DEVICES says which those are."""
    chosen = [queue.strip() for queue in queues.split(",")]
    if not chosen or any(queue not in _QUEUES for queue in chosen):
        raise typer.BadParameter(
            f"{queues}: choose from {', '.join(_QUEUES)}", param_hint="--queues"
        )
    node = name or f"{'-'.join(chosen)}-{os.getpid()}"
    if concurrency > 1 and set(chosen) == {"gpu"} and devices.gpus():
        raise typer.BadParameter(
            "One training at a time on a GPU, since two would not fit into its memory. Give each GPU a "
            "worker of its own: CUDA_VISIBLE_DEVICES=1 annotune worker --queues gpu --name gpu-1.",
            param_hint="--concurrency",
        )
    with plain_errors():
        settings = get_settings()
        group.check_data_folder(settings)
        data_folder.keep_private(settings)
    words = ["--queues", ",".join(chosen), "--concurrency", str(concurrency)]
    _become(["worker", *words, "--hostname", f"{node}@%h"])


def migrate() -> None:
    """Bring the database to this version's tables."""
    from app.migrate import migrate as migrate_database

    with plain_errors():
        say(
            "The database is up to date now."
            if migrate_database()
            else "The database was up to date."
        )


def doctor(
    quick: Annotated[
        bool, typer.Option("--quick", help="Compare stored files by size, and do not read them.")
    ] = False,
) -> None:
    """Check what Annotune needs here; the exit code is 1 when something essential is missing."""
    from app.cli import doctor as checks

    with plain_errors():
        findings = checks.examine(get_settings(), quick=quick)
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        mark = (
            "skip"
            if finding.skipped
            else "ok  "
            if finding.good
            else ("FAIL" if finding.essential else "note")
        )
        say(f"{mark}  {finding.name:<{width}}  {finding.detail}")
    if any(finding.essential and not finding.good for finding in findings):
        raise typer.Exit(1)


def _become(words: list[str]) -> NoReturn:
    """Run a module in place of this process: signals reach it itself, and it has no imports but its own."""
    # `-P`: a folder called “worker” where this was typed is not ours.
    os.execv(sys.executable, [sys.executable, "-P", "-m", *words])  # noqa: S606


def _settings(host: str | None, port: int | None, data_dir: Path | None = None) -> Settings:
    """The settings, with what the command line says; the whole process sees them."""
    for name, value in (("HOST", host), ("PORT", port), ("DATA_DIR", data_dir)):
        if value is not None:
            os.environ[f"ANNOTUNE_{name}"] = str(value)
    get_settings.cache_clear()
    return get_settings()
