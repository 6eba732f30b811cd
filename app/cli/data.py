"""The commands for data: projects, demo, import, frames, freeze, export."""

import sys
from pathlib import Path
from typing import Annotated, Literal

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
from app.cli.local_jobs import see_through
from app.db import session_scope
from app.errors import AnnotuneError, InvalidInput
from app.formats import ReadOptions
from app.models import new_id
from app.services import demo as demo_projects
from app.services import direct_import, exporting, importing, versions
from app.services import frames as frame_service
from app.services import projects as project_service
from app.services.import_rows import ImportOptions
from app.services.versions import SplitPercent
from app.tasks.base import parse

_SHOWN_PROBLEMS = 20
_SHOWN_NOTES = 5


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for function in (projects, demo, frames, freeze, export):
        app.command()(function)
    app.command("import")(import_)


def projects(who: As = None, as_json: Json = False) -> None:
    """List the projects."""
    with command():
        actor = actor_for(who)
        with session_scope(read_only=True) as session:
            found = project_service.list_projects(session, actor)
        rows = [
            {
                "id": project.id,
                "task": project.task,
                "examples": project.example_count,
                "labelled": project.labelled_count,
                "name": project.name,
            }
            for project in found
        ]
        show(rows, as_json=as_json, none="There are no projects yet. “annotune demo” makes three.")


def demo(who: As = None) -> None:
    """Make three small projects to try things with, each with a first version."""
    with command():
        actor = actor_for(who)
        made = demo_projects.load(actor)
        for project in made:
            with session_scope(read_only=True) as session:
                waiting = [
                    job.id
                    for _version, job in versions.list_versions(session, actor, project.id)
                    if job.state == "queued"
                ]
            for job_id in waiting:
                see_through(job_id, project.name)
            say(f"{project.id}  {project.name}")


def import_(
    project: ProjectWord,
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="What to read.")
    ],
    format_name: Annotated[
        str | None, typer.Option("--format", help="How to read it; detected, if not given.")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="Such as gb18030; detected, if not given.")
    ] = None,
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="WHAT=COLUMN",
            help="Such as text=review, or split= for none; may be repeated.",
        ),
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option("--label", metavar="OLD=NEW", help="Such as 0=negative; may be repeated."),
    ] = None,
    label_separator: Annotated[
        str | None, typer.Option(help="Between the labels of one cell, such as “;”.")
    ] = None,
    delimiter: Annotated[
        str | None, typer.Option(help="Between cells, “tab” for a tab; detected, if not given.")
    ] = None,
    sheet: Annotated[
        str | None, typer.Option(help="Of a workbook; the first, if not given.")
    ] = None,
    header: Annotated[
        bool | None,
        typer.Option("--header/--no-header", help="Whether the first row names the columns."),
    ] = None,
    tag_columns: Annotated[
        Literal["auto", "last", "all"],
        typer.Option(
            help="Columns of tags at a CoNLL line's end: all are layers of entities, or not."
        ),
    ] = "auto",
    offsets: Annotated[
        Literal["auto", "characters", "utf16", "bytes"],
        typer.Option(help="What the numbers of spans count; their words tell, if not given."),
    ] = "auto",
    span_end: Annotated[
        Literal["auto", "exclusive", "inclusive"],
        typer.Option(help="Whether the second number of a span is its last character's."),
    ] = "auto",
    split: Annotated[
        Literal["train", "validation", "test"] | None,
        typer.Option(help="Put all of it into this split; by its texts, if not given."),
    ] = None,
    on_error: Annotated[
        Literal["stop", "skip"],
        typer.Option(help="Wrong rows: import nothing, or leave them out."),
    ] = "stop",
    on_duplicate: Annotated[
        Literal["keep", "skip"], typer.Option(help="Texts that are there already.")
    ] = "keep",
    new_labels: Annotated[
        Literal["add", "reject"],
        typer.Option(help="Labels the project lacks: add them, or take their rows as wrong."),
    ] = "add",
    who: As = None,
) -> None:
    """Import a file: all of it, or nothing."""
    read = {
        "encoding": encoding,
        "columns": _pairs(mapping, "--map", may_be_empty=True),
        "label_map": _pairs(labels, "--label"),
        "label_separator": label_separator,
        "delimiter": "\t" if delimiter == "tab" else delimiter,
        "sheet": sheet,
        "has_header": header,
        "tag_columns": tag_columns,
        "offsets": offsets,
        "span_end": span_end,
    }
    with command():
        actor = actor_for(who)
        options = ImportOptions(
            format=format_name,
            read=parse(ReadOptions, read, "The options are not right."),
            on_error=on_error,
            on_duplicate=on_duplicate,
            new_labels=new_labels,
            split=split,
        )
        with session_scope(read_only=True) as session:
            project_id = find_project(session, actor, project).id
        with file.open("rb") as stream:
            row, job = direct_import.bring_in(
                actor, project_id, filename=file.name, stream=stream, options=options
            )
        if job is None:  # never so: there are options
            raise AnnotuneError("The import was not started.")
        job = see_through(job.id, file.name)
        with session_scope(read_only=True) as session:
            row, _job = importing.get(session, actor, project_id, row.id)
        _list_problems(row.report)
        if job.state != "succeeded":
            complain(job.error or "The import was cancelled; nothing of it was kept.")
            raise typer.Exit(1)
        report = row.report
        say(
            f"{report['read']} {'row' if report['read'] == 1 else 'rows'} read as {row.format}: "
            f"{report['labelled']} with an annotation, "
            f"{report['duplicates']} with a text that was there already, {report['rejected']} wrong."
        )
        if not report["encoding_is_certain"]:
            complain(
                f"The encoding {report['encoding']} is a guess. If letters are wrong, take the import back and name "
                "another with --encoding."
            )
        if report["new_labels"]:
            say(f"New labels: {', '.join(report['new_labels'])}")
        if report["taken_for"]:
            same = ", ".join(f"{name} → {found}" for name, found in report["taken_for"].items())
            say(f"Taken for labels that are there: {same}")
        if report["unused"]:
            unused = ", ".join(
                f"{name} ({rows} {'row' if rows == 1 else 'rows'})"
                for name, rows in report["unused"].items()
            )
            say(f"Not used: {unused}")


def _pairs(words: list[str] | None, option: str, *, may_be_empty: bool = False) -> dict[str, str]:
    """What `a=b` words say. Raises BadParameter."""
    pairs = [word.partition("=") for word in words or ()]
    for key, equals, value in pairs:
        if not (key and equals and (value or may_be_empty)):
            raise typer.BadParameter(f"{key or value}: write NAME=VALUE.", param_hint=option)
    return {key: value for key, _equals, value in pairs}


def _list_problems(report: dict[str, object]) -> None:
    problems = report.get("problems")
    found = problems if isinstance(problems, list) else []
    for problem in found[:_SHOWN_PROBLEMS]:
        column = f", column {problem['column']}" if problem["column"] else ""
        complain(f"row {problem['row']}{column}: {problem['message']}")
    if len(found) > _SHOWN_PROBLEMS:
        complain(f"… and {report['rejected']} wrong rows in all.")


def frames(
    project: ProjectWord,
    file: Annotated[
        Path,
        typer.Argument(help="A frame file, or a zip or tar of them.", exists=True, dir_okay=False),
    ],
    who: As = None,
) -> None:
    """Read PropBank frame files into an SRL project's inventory."""
    with command():
        actor = actor_for(who)
        with session_scope(read_only=True) as session:
            project_id = find_project(session, actor, project).id
        with file.open("rb") as stream:
            row = frame_service.load(actor, project_id, filename=file.name, stream=stream)
        job = see_through(row.job_id, file.name)
        with session_scope(read_only=True) as session:
            row, job = frame_service.get(session, actor, project_id, row.id)
        for problem in row.report.get("problems", ()):
            complain(f"{problem['where']}: {problem['message']}")
        if job.state != "succeeded":
            complain(job.error or "The reading was cancelled.")
            raise typer.Exit(1)
        say(f"{row.report['loaded']} senses are in the inventory")


def freeze(
    project: ProjectWord,
    note: Annotated[str, typer.Option(help="What is new in it.")] = "",
    split: Annotated[
        str | None,
        typer.Option(
            metavar="TRAIN/VALIDATION/TEST",
            help="Per cents, such as 80/10/10; the last version's, if not given.",
        ),
    ] = None,
    split_anew: Annotated[
        bool,
        typer.Option(
            help="Split all examples anew; else those of the version before stay in their splits."
        ),
    ] = False,
    who: As = None,
) -> None:
    """Freeze what is labelled into a new version."""
    percent = _split(split)
    with command():
        actor = actor_for(who)
        with session_scope(read_only=True) as session:
            project_id = find_project(session, actor, project).id
        with session_scope() as session:
            made = versions.create(
                session, actor, project_id, note=note, split=percent, keep_splits=not split_anew
            )
        job = see_through(made.job_id, f"version {made.number}")
        if job.state != "succeeded":
            complain(job.error or "The freeze was cancelled.")
            raise typer.Exit(1)
        with session_scope(read_only=True) as session:
            version = versions.ready(session, actor, project_id, made.number)
        parts = ", ".join(f"{n} {name}" for name, n in version.counts["splits"].items())
        say(f"Version {version.number}: {version.counts['examples']} examples ({parts})")
        for move in version.counts["moves"]:
            say(f"{move['examples']} examples moved from {move['before']} to {move['after']}.")
        if version.counts["not_followed"]:
            complain(
                f"{version.counts['not_followed']} examples are not in the split that their file says: their texts "
                "were in another one before, or copies of them are."
            )
        say(f"SHA-256 {version.sha256}")


def _split(text: str | None) -> SplitPercent | None:
    if text is None:
        return None
    parts = text.split("/")
    try:
        if len(parts) != 3:
            raise InvalidInput("There are three splits.")
        values = dict(zip(versions.SPLITS, parts, strict=True))
        return parse(SplitPercent, values, "The split is not right.", strict=False)
    except InvalidInput as error:
        raise typer.BadParameter(
            f"{text}: write three per cents that add up to 100, such as 80/10/10.",
            param_hint="--split",
        ) from error


def export(
    project: ProjectWord,
    version: VersionWord,
    format_name: Annotated[str, typer.Option("--format", "-f", help="A format of its task.")] = (
        "jsonl"
    ),
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="File to write, or “-”; named after the project, if not given."
        ),
    ] = None,
    split: Annotated[
        Literal["train", "validation", "test"] | None, typer.Option(help="Only this split.")
    ] = None,
    comments: Annotated[
        bool, typer.Option("--comments", help="CoNLL: say each text exactly in comment lines.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    who: As = None,
) -> None:
    """Write a version to a file."""
    with command():
        actor = actor_for(who)
        with session_scope(read_only=True) as session:
            found = find_project(session, actor, project)
            number = find_version(session, actor, found, version)
            wanted = exporting.open_export(
                session, actor, found.id, number, format_name, comments=comments, split=split
            )
            missed = exporting.notes(session, actor, found.id, number, format_name)
        if str(output) == "-":
            for chunk in wanted.chunks():
                sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
        else:
            target = output or Path(wanted.filename)
            _write(wanted, target, force=force)
            say(f"{target}  {target.stat().st_size} bytes")
        for note in missed.notes[:_SHOWN_NOTES]:
            complain(f"example {note.example_id}: {note.message}")
        if missed.examples:
            complain(f"{format_name} cannot say everything of {missed.examples} examples.")


def _write(export: exporting.Export, target: Path, *, force: bool) -> None:
    """The whole file appears at once, or nothing does. Raises InvalidInput."""
    if target.exists() and not force:
        raise InvalidInput(f"{target} is there already: name another file, or say --force.")
    part = target.with_name(f".{target.name[:200]}.{new_id()}.part")
    try:
        with part.open("xb") as sink:
            for chunk in export.chunks():
                sink.write(chunk)
        part.replace(target)
    except OSError as error:
        raise InvalidInput(f"{target} cannot be written: {error.strerror}.") from error
    finally:
        part.unlink(missing_ok=True)
