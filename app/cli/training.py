"""The commands for training: starting a run, watching it, evaluating and pushing its model, the list."""

import sys
from pathlib import Path
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
from app.cli.console import complain, plain_errors, say, show
from app.cli.local_jobs import watch
from app.db import session_scope
from app.models import Run
from app.services import glue as glue_service
from app.services import runs as run_service
from app.services import searches
from app.services.access import Actor
from app.services.searches import SearchPlan
from app.tasks.base import parse
from app.training import CrossValidateParams, FineTuneParams, PretrainParams, TrainingParams

BaseWord = Annotated[str | None, typer.Option(help="packaged, scratch, hub, folder or run.")]
BaseRef = Annotated[
    str | None, typer.Option(help="Hub id, folder name or run id, where the base needs one.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="NAME=VALUE", help="Any other parameter, such as seed=7; repeatable."
    ),
]
Name = Annotated[str, typer.Option(help="Its name; after its base, if not given.")]
Wait = Annotated[bool, typer.Option("--wait", help="Stay until it has ended.")]
Priority = Annotated[str, typer.Option(help="urgent, normal, or idle: when nothing else waits.")]
Device = Annotated[
    str | None, typer.Option(help="cuda or cpu: only workers with such a device take it.")
]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for function in (train, crossvalidate, pretrain, evaluate, push, glue, search, runs):
        app.command()(function)


def train(
    project: ProjectWord,
    version: VersionWord = "latest",
    base: BaseWord = None,
    base_ref: BaseRef = None,
    head: Annotated[str | None, typer.Option(help="softmax or crf.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training split.")] = None,
    params: Settings = None,
    name: Name = "",
    priority: Priority = "normal",
    device: Device = None,
    wait: Wait = False,
    who: As = None,
) -> None:
    """Start a fine-tuning on a version. A worker carries it out: “annotune up”, or “annotune worker”."""
    wishes: dict[str, Any] = {"base": base, "base_ref": base_ref, "head": head, "epochs": epochs}
    wishes = _wishes(FineTuneParams, wishes, params)
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
                turn=run_service.Turn(priority, device),
            )
        _started(actor, run, wait=wait)


def crossvalidate(
    project: ProjectWord,
    version: VersionWord = "latest",
    folds: Annotated[int | None, typer.Option(help="Parts the examples are cut into.")] = None,
    base: BaseWord = None,
    params: Settings = None,
    name: Name = "",
    priority: Priority = "normal",
    device: Device = None,
    wait: Wait = False,
    who: As = None,
) -> None:
    """Start a cross-validation on a version's training and validation splits. A worker carries it out."""
    wishes = _wishes(CrossValidateParams, {"base": base, "folds": folds}, params)
    with command():
        actor = actor_for(who)
        with session_scope() as session:
            found = find_project(session, actor, project)
            number = find_version(session, actor, found, version)
            run = run_service.cross_validate(
                session,
                actor,
                found.id,
                version_number=number,
                params=run_service.params_from(
                    session, actor, found.id, number, wishes, CrossValidateParams
                ),
                name=name,
                turn=run_service.Turn(priority, device),
            )
        _started(actor, run, wait=wait)


def pretrain(
    project: ProjectWord,
    base: BaseWord = None,
    base_ref: BaseRef = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the texts.")] = None,
    params: Settings = None,
    name: Name = "",
    priority: Priority = "normal",
    device: Device = None,
    wait: Wait = False,
    who: As = None,
) -> None:
    """Pre-train a model on a project's texts, labelled or not; a later “annotune train … --base run” starts
    from it."""
    wishes = {"base": base, "base_ref": base_ref, "epochs": epochs}
    wishes = _wishes(PretrainParams, wishes, params)
    with command():
        actor = actor_for(who)
        with session_scope() as session:
            found = find_project(session, actor, project)
            run = run_service.create_pretraining(
                session,
                actor,
                found.id,
                params=run_service.pretraining_params(session, actor, found.id, wishes),
                name=name,
                turn=run_service.Turn(priority, device),
            )
        _started(actor, run, wait=wait)


def evaluate(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The id of a run with a model.")],
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="A labelled TSV file, with --glue.", exists=True),
    ] = None,
    version: Annotated[
        str | None, typer.Option(help="A version's number, or “latest”, instead of a file.")
    ] = None,
    project: Annotated[
        str | None, typer.Option(help="The version's project; the model's, if not given.")
    ] = None,
    split: Annotated[str, typer.Option(help="train, validation, test or all.")] = "test",
    layout: Annotated[
        str | None, typer.Option("--glue", help="The file's layout: sst2 or cola.")
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option(
            "--label",
            metavar="VALUE=LABEL",
            help="Which label of the model a label of the file stands for; repeatable.",
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="Its name; after model and data, if not given.")] = "",
    priority: Priority = "normal",
    device: Device = None,
    wait: Wait = False,
    who: As = None,
) -> None:
    """Evaluate a run's model on a version, or on a labelled file in GLUE's layout. A worker does it."""
    if (file is None) == (version is None) or (file is None) != (layout is None):
        raise typer.BadParameter("give --version, or --glue with a FILE.")
    meaning = dict(_pair(word) for word in labels or ())
    turn = run_service.Turn(priority, device)
    with command():
        actor = actor_for(who)
        if file is not None:
            with file.open("rb") as stream:
                made = run_service.evaluate_file(
                    actor,
                    run,
                    task=layout or "",
                    filename=file.name,
                    stream=stream,
                    labels=meaning,
                    name=name,
                    turn=turn,
                )
        else:
            with session_scope() as session:
                view = run_service.get(session, actor, run)
                over = find_project(session, actor, project) if project else view.project
                made = run_service.evaluate_version(
                    session,
                    actor,
                    run,
                    project_id=over.id,
                    version_number=find_version(session, actor, over, version or "latest"),
                    split=split,
                    name=name,
                    turn=turn,
                )
        _started(actor, made, wait=wait)


def push(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The id of a run with a model.")],
    repository: Annotated[
        str, typer.Argument(metavar="OWNER/NAME", help="Where on the hub it goes.")
    ],
    private: Annotated[
        bool, typer.Option("--private/--public", help="Who sees a repository that is new.")
    ] = True,
    token_stdin: Annotated[
        bool,
        typer.Option(
            "--token-stdin",
            help="Read a token of your own from standard input, for this push alone.",
        ),
    ] = False,
    wait: Wait = False,
    who: As = None,
) -> None:
    """Push a run's model with its card to a hub. The worker does it, with a token of yours or, where
    ANNOTUNE_HUB_PUSH allows it, with the installation's."""
    token = sys.stdin.readline().strip() if token_stdin else None
    with command():
        actor = actor_for(who)
        with session_scope() as session:
            made = run_service.push(
                session, actor, run, repo_id=repository, private=private, token=token
            )
        _started(actor, made, wait=wait)


def _pair(word: str) -> tuple[str, str]:
    value, equals, label = word.partition("=")
    if not equals or not label:
        raise typer.BadParameter(f"{word}: write VALUE=LABEL, such as 1=positive.")
    return value, label


def glue(
    task: Annotated[
        str, typer.Argument(help="sst2, cola, mrpc, qqp, stsb, mnli, qnli, rte or wnli.")
    ],
    gold: Annotated[Path, typer.Argument(help="The labelled TSV file.", exists=True)],
    predictions: Annotated[
        Path, typer.Argument(help="Predictions: a header “index<TAB>prediction”.", exists=True)
    ],
    as_json: Json = False,
) -> None:
    """Score a file of predictions in GLUE's submission layout against a labelled file."""
    with plain_errors(), gold.open("rb") as truth, predictions.open("rb") as said:
        found = glue_service.score_files(task, truth, said)
    row = {"task": task, "examples": found.examples}
    row |= {k: round(v, 6) if as_json else f"{v:.4f}" for k, v in found.scores.items()}
    show([row], as_json=as_json, none="")


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
    words = _wishes(FineTuneParams, {}, params)
    with command():
        actor = actor_for(who)
        fixed, space = searches.read_words(words)
        chosen = {"strategy": "random" if random else "grid", "runs": random or 1, "seed": seed}
        wish = parse(SearchPlan, {**chosen, "space": space}, "The search cannot be started.")
        with session_scope(read_only=True) as session:
            found = find_project(session, actor, project)
            number = find_version(session, actor, found, version)
            base = run_service.params_from(session, actor, found.id, number, fixed, FineTuneParams)
            if count:
                sets = searches.plan(
                    session, actor, found.id, version_number=number, params=base, wish=wish
                )
                say(f"{len(sets)} runs")
                return
        made = searches.create(
            actor,
            found.id,
            version_number=number,
            params=base,
            wish=wish,
            name=name,
            device=device,
        )
        with session_scope(read_only=True) as session:
            view = searches.get(session, actor, made.id)
        say(f"{made.id}  {made.name}: {len(view.children)} runs queued")


def _wishes(
    kind: type[TrainingParams], options: dict[str, Any], words: list[str] | None
) -> dict[str, Any]:
    """The options that were given, and what `name=value` words say. Raises BadParameter."""
    values = {name: value for name, value in options.items() if value is not None}
    for word in words or ():
        name, equals, value = word.partition("=")
        if not equals or name not in kind.model_fields:
            known = ", ".join(kind.model_fields)
            raise typer.BadParameter(
                f"{word}: write NAME=VALUE with one of {known}.", param_hint="--set"
            )
        values[name] = value
    return values


def _started(actor: Actor, run: Run, *, wait: bool) -> None:
    if wait:
        _wait(actor, run.id, run.job_id, run.name)
    else:
        say(f"{run.id}  {run.name}: queued")


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
    if "after" in result:
        before, after = (result[when]["perplexity"] for when in ("before", "after"))
        say(f"perplexity: {before:.2f} before, {after:.2f} after")
    for split, report in result.get("metrics", {}).items():
        scores = {k: v for k, v in report["scores"].items() if v is not None}
        if scores:
            say(f"{split}: " + ", ".join(f"{k} {v:.4f}" for k, v in scores.items()))
    if means := result.get("mean"):
        spread = result["deviation"]
        say("folds: " + ", ".join(f"{k} {v:.4f} ± {spread[k]:.4f}" for k, v in means.items()))
    if result.get("glue"):
        say("GLUE: " + ", ".join(f"{k} {v:.4f}" for k, v in result["glue"].items()))


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
