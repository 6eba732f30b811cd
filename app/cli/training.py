"""The commands for training: starting a run, watching it, the list of runs."""

from typing import Annotated, Any

import typer

from app.cli.acting import (
    As,
    Json,
    ProjectWord,
    VersionWord,
    actor_for,
    command,
    find_project,
    find_version,
)
from app.cli.console import complain, say, show
from app.cli.local_jobs import watch
from app.db import session_scope
from app.services import runs as run_service
from app.services import searches
from app.services.access import Actor
from app.services.searches import SearchPlan
from app.tasks.base import parse
from app.training import FineTuneParams


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for function in (train, search, runs):
        app.command()(function)


def train(
    project: ProjectWord,
    version: VersionWord = "latest",
    base: Annotated[str | None, typer.Option(help="packaged, scratch, hub, folder or run.")] = None,
    base_ref: Annotated[
        str | None, typer.Option(help="Hub id, folder name or run id, where the base needs one.")
    ] = None,
    head: Annotated[str | None, typer.Option(help="softmax or crf.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training split.")] = None,
    params: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="Any other parameter, such as seed=7; repeatable."
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="Its name; after its base, if not given.")] = "",
    priority: Annotated[
        str, typer.Option(help="urgent, normal, or idle: when nothing else waits.")
    ] = "normal",
    device: Annotated[
        str | None, typer.Option(help="cuda or cpu: only workers with such a device take it.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Stay until it has ended.")] = False,
    who: As = None,
) -> None:
    """Start a fine-tuning on a version. A worker carries it out: “annotune up”, or “annotune worker”."""
    wishes: dict[str, Any] = {"base": base, "base_ref": base_ref, "head": head, "epochs": epochs}
    wishes = {key: value for key, value in wishes.items() if value is not None} | _settings(params)
    with command():
        actor = actor_for(who)
        with session_scope() as session:
            found = find_project(session, actor, project)
            number = find_version(session, actor, found, version)
            run = run_service.create(
                session,
                actor,
                found.id,
                version_number=number,
                params=run_service.params_from(session, actor, found.id, number, wishes),
                name=name,
                priority=priority,
                device=device,
            )
        if not wait:
            say(f"{run.id}  {run.name}: queued")
            return
        _wait(actor, run.id, run.job_id, run.name)


def search(
    project: ProjectWord,
    version: VersionWord = "latest",
    params: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUES",
            help="A parameter with its values, such as learning_rate=1e-4,3e-4, or for a random search a "
            "range: 1e-5..1e-3. One value holds for all runs. Repeatable.",
        ),
    ] = None,
    random: Annotated[
        int | None,
        typer.Option(metavar="N", help="At random N combinations; all, if not given.", min=1),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the random choice.")] = 42,
    name: Annotated[str, typer.Option(help="Its name; after what varies, if not given.")] = "",
    device: Annotated[
        str | None, typer.Option(help="cuda or cpu: only workers with such a device take them.")
    ] = None,
    count: Annotated[bool, typer.Option("--count", help="Say how many runs, start none.")] = False,
    who: As = None,
) -> None:
    """Start fine-tunings over a space of parameters; they yield to other runs."""
    words = _settings(params)
    with command():
        actor = actor_for(who)
        fixed, space = searches.read_words(words)
        chosen = {"strategy": "random" if random else "grid", "runs": random or 1, "seed": seed}
        wish = parse(SearchPlan, {**chosen, "space": space}, "The search cannot be started.")
        with session_scope() as session:
            found = find_project(session, actor, project)
            number = find_version(session, actor, found, version)
            base = run_service.params_from(session, actor, found.id, number, fixed)
            if count:
                sets = searches.plan(
                    session, actor, found.id, version_number=number, params=base, wish=wish
                )
                say(f"{len(sets)} runs")
                return
            made = searches.create(
                session,
                actor,
                found.id,
                version_number=number,
                params=base,
                wish=wish,
                name=name,
                device=device,
            )
            view = searches.get(session, actor, made.id)
        say(f"{made.id}  {made.name}: {len(view.children)} runs queued")


def _settings(words: list[str] | None) -> dict[str, str]:
    """What `name=value` words say. Raises BadParameter."""
    values = {}
    for word in words or ():
        name, equals, value = word.partition("=")
        if not equals or name not in FineTuneParams.model_fields:
            known = ", ".join(FineTuneParams.model_fields)
            raise typer.BadParameter(
                f"{word}: write NAME=VALUE with one of {known}.", param_hint="--set"
            )
        values[name] = value
    return values


def _wait(actor: Actor, run_id: str, job_id: str, title: str) -> None:
    try:
        job = watch(job_id, title)
    except KeyboardInterrupt:
        complain(f"The run {run_id} goes on without this command.")
        raise typer.Exit(130) from None
    say(f"{run_id}  {title}: {job.state}")
    if job.state != "succeeded":
        if job.error:
            complain(job.error)
        raise typer.Exit(1)
    with session_scope(read_only=True) as session:
        result = run_service.get(session, actor, run_id).run.result or {}
    for split, report in result.get("metrics", {}).items():
        scores = {k: v for k, v in report["scores"].items() if v is not None}
        if scores:
            say(f"{split}: " + ", ".join(f"{k} {v:.4f}" for k, v in scores.items()))


def runs(
    project: Annotated[
        str | None, typer.Argument(help="Id or name of a project; all, if not given.")
    ] = None,
    who: As = None,
    as_json: Json = False,
) -> None:
    """List the newest runs."""
    with command():
        actor = actor_for(who)
        with session_scope(read_only=True) as session:
            project_id = find_project(session, actor, project).id if project else None
            found = run_service.list_runs(session, actor, project_id)
        rows = [
            {
                "id": view.run.id,
                "state": view.job.shown_state,
                "project": view.project.name,
                "version": view.version_number,
                "name": view.run.name,
                "error": view.job.error,
            }
            for view in found
        ]
        show(rows, as_json=as_json, none="There are no runs yet. “annotune train” starts one.")
