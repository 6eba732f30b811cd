"""Evaluating a run's model again: on another version, or on a file in GLUE's layout."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import IO, Any

from sqlalchemy.orm import Session

from app.db import session_scope
from app.errors import Conflict, InvalidInput, TooLarge
from app.formats.example import StoredExample, write_line
from app.formats.glue import TASKS, TEXT_TASKS, GlueRow, read_gold
from app.i18n import gettext as _
from app.models import Project, Run, new_id
from app.services.access import Actor, project_for
from app.services.runs.keys import evaluation_key
from app.services.runs.reading import RunView, label_schema, require_model
from app.services.runs.starting import Turn, queue
from app.services.versions import SPLITS, ready
from app.settings import get_settings
from app.storage import get_storage
from app.tasks import get_task
from app.tasks.base import TextInputs, parse
from app.training import EvaluateParams

MAX_ROWS = 200_000
_SYNONYMS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("sst2", "0"): ("negative", "neg", "bad", "消极", "负面"),
    ("sst2", "1"): ("positive", "pos", "good", "积极", "正面"),
    ("cola", "0"): ("unacceptable", "ungrammatical", "wrong", "no"),
    ("cola", "1"): ("acceptable", "grammatical", "right", "yes"),
}


def evaluate_version(
    session: Session,
    actor: Actor,
    run_id: str,
    *,
    project_id: str | None = None,
    version_number: int,
    split: str = "test",
    name: str = "",
    turn: Turn = Turn(),
) -> Run:
    """Queue the evaluation of a run's model on a version: of its own project, or another of its task.

    The new run belongs to the version's project. Raises InvalidInput for a version that the model cannot
    be scored on.
    """
    model = evaluable(session, actor, run_id)
    project = project_for(session, actor, project_id or model.project.id, "manager", write=True)
    if project.task != model.project.task:
        raise InvalidInput.at("project_id", _("The model is for another task than this project."))
    version = ready(session, actor, project.id, version_number)
    params = parse(
        EvaluateParams,
        {"base_ref": run_id, "split": split},
        _("The run cannot be started as it is."),
    )
    chosen = SPLITS if split == "all" else (split,)
    if not any(version.counts["splits"][each] for each in chosen):
        raise InvalidInput.at("split", _("The version has no examples in this split."))
    used = {label for each in chosen for label in version.counts["labels_by_split"][each]}
    _require_known(used, set(model_labels(session, model)), "version")
    return queue(
        session,
        actor,
        project,
        kind="evaluate",
        params=params,
        version=version,
        name=name or f"{model.run.name} · v{version.number} {split}",
        turn=turn,
    )


def evaluate_file(
    actor: Actor,
    run_id: str,
    *,
    task: str,
    filename: str,
    stream: IO[bytes],
    labels: Mapping[str, str] | None = None,
    name: str = "",
    turn: Turn = Turn(),
) -> Run:
    """Queue the evaluation of a run's model on a labelled file in GLUE's layout.

    `labels` says which label of the model each label of the file stands for; what it leaves out is guessed
    from the names. Opens its own sessions, so that a slow upload holds no lock. Raises InvalidInput naming
    the row, TooLarge; then nothing is kept.
    """
    with session_scope(read_only=True) as session:
        model = evaluable(session, actor, run_id)
        project = project_for(session, actor, model.project.id, "manager", write=True)
        known = model_labels(session, model)
        one_label = _takes_one_label(project, label_schema(session, model))
    if task not in TEXT_TASKS:
        raise InvalidInput.at(
            "glue",
            _(
                "This model reads one text at a time, so it can be scored on files of %(tasks)s. For tasks of "
                "text pairs, “annotune glue TASK GOLD PREDICTIONS” scores a file of predictions.",
                tasks=", ".join(TASKS[each].title for each in TEXT_TASKS),
            ),
        )
    if not one_label:
        raise InvalidInput.at(
            "glue", _("Only models that give a text one label can be scored on such a file.")
        )
    given = {key.strip(): value for key, value in (labels or {}).items() if value}
    _require_known(set(given.values()), set(known), "labels")
    meaning = suggested_labels(task, known) | given
    new, key = new_id(), ""
    key = evaluation_key(new)
    try:
        with get_storage().writing(key) as sink:
            _write_examples(sink, read_gold(stream, TASKS[task]), meaning, set(known))
        short = PurePath(filename.replace("\\", "/")).name[-300:] or "file"
        used = {label: meaning[label] for label in sorted(meaning)}
        with session_scope() as session:
            return queue(
                session,
                actor,
                project_for(session, actor, project.id, "manager", write=True),
                kind="evaluate",
                params=EvaluateParams(
                    base_ref=run_id,
                    glue=task,
                    filename=short,
                    labels=used,
                ),
                version=None,
                name=name or f"{model.run.name} · {TASKS[task].title}",
                turn=turn,
                run_id=new,
            )
    except BaseException:
        get_storage().remove(key)
        raise


def evaluable(session: Session, actor: Actor, run_id: str) -> RunView:
    """A run whose model predicts annotations. Raises Conflict where there is none."""
    view = require_model(session, actor, run_id)
    if not view.is_scored:
        raise Conflict(_("This run's model predicts nothing yet: fine-tune it first."))
    return view


def model_labels(session: Session, view: RunView) -> list[str]:
    """The names of the labels that a run's model knows."""
    task = get_task(view.project.task)
    return [label.name for label in task.labels(task.parse_schema(label_schema(session, view)))]


def suggested_labels(task: str, known: list[str]) -> dict[str, str]:
    """Which labels of a model a file's 0 and 1 most likely stand for, as far as names tell."""
    by_name = {name.casefold(): name for name in known}
    found = {}
    for value in dict.fromkeys(TASKS[task].labels.values()):
        words = (value, *_SYNONYMS.get((task, value), ()))
        match = next((by_name[word] for word in words if word in by_name), None)
        if match is not None:
            found[value] = match
    return found


def _takes_one_label(project: Project, schema: dict[str, Any]) -> bool:
    return get_task(project.task).recipe == "classification" and schema.get("mode") != "multi"


def _require_known(used: set[str], known: set[str], where: str) -> None:
    if unknown := sorted(used - known):
        raise InvalidInput.at(
            where,
            _(
                "The model does not know these labels: %(names)s. It knows: %(known)s.",
                names=", ".join(unknown[:10]),
                known=", ".join(sorted(known)[:30]),
            ),
        )


def _write_examples(
    sink: IO[bytes], rows: Iterator[GlueRow], meaning: Mapping[str, str], known: set[str]
) -> None:
    """The rows as a version has its examples. Raises InvalidInput, TooLarge."""
    bound, written, count = get_settings().max_upload_mb << 20, 0, 0
    for count, row in enumerate(rows, 1):
        label = meaning.get(row.label, row.label)
        if label not in known:
            raise InvalidInput.at(
                "labels",
                _(
                    "Row %(n)s has the label “%(label)s”. Say which label of the model it stands for: "
                    "%(known)s.",
                    n=row.row,
                    label=row.label[:100],
                    known=", ".join(sorted(known)[:30]),
                ),
            )
        inputs = parse(TextInputs, {"text": row.text}, _("Row %(n)s:", n=row.row))
        example = StoredExample(
            {"text": inputs.text},
            "test",
            _number(inputs.text),
            str(row.index),
            {"labels": [label]},
        )
        written += sink.write(write_line(example))
        if count > MAX_ROWS or written > bound:
            raise TooLarge(
                _(
                    "The file is too large: at most %(n)s rows and %(m)s MiB can be scored at a time.",
                    n=f"{MAX_ROWS:,}",
                    m=bound >> 20,
                )
            )
    if not count:
        raise InvalidInput.at("file", _("The file holds no rows."))


def _number(text: str) -> int:
    """A negative number for a text that is in no project: the same one in every run, so that runs can be
    compared on it."""
    return -1 - int.from_bytes(hashlib.sha256(text.encode()).digest()[:6])
