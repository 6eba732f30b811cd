"""The demo: three small projects that give every page something to show."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from app import demo
from app.db import session_scope
from app.demo import DemoProject
from app.formats.frames import Roleset
from app.i18n import gettext as _
from app.models import Annotation, Example, Project, User
from app.services import contributions, frames, label_sets, projects, versions
from app.services.access import Actor, require_write
from app.services.contributions import Change
from app.services.projects import ProjectFields
from app.services.versions import SplitPercent
from app.tasks import get_task
from app.tasks.content import content_hash

_LABELLED = 0.7
"""The share that comes labelled; the rest waits in the queue."""
_BY_ACTOR = 12
"""The last of the labelled ones are the actor's own, so that their history is not empty."""
_SPLIT = SplitPercent(train=70, validation=15, test=15)
_MARK = "demo"
"""The project setting that says which demo project it is, whatever it is called by now."""


def load(actor: Actor) -> list[Project]:
    """The demo projects of this person, in order; those that they have already stay as they are.

    Each comes with guidelines, examples, annotations and a first version, which a worker writes. Opens its own
    sessions, one for each project, once everything in it is checked.
    """
    require_write(actor)
    return [_make(actor, content) for content in demo.PROJECTS]


def _make(actor: Actor, content: DemoProject) -> Project:
    rows = list(_prepare(actor, content))
    fields = ProjectFields(
        name=content.name,
        description=content.description,
        language=content.language,
        guidelines=content.guidelines,
        label_schema=content.schema,
    )
    with session_scope() as session:
        session.get(User, actor.user_id, with_for_update=True)  # two clicks make one demo
        mine = session.scalars(
            select(Project).where(Project.created_by == actor.user_id, Project.deleted_at.is_(None))
        )
        there = next((p for p in mine if p.settings.get(_MARK) == content.task), None)
        if there is not None:
            return there
        project = projects.create(session, actor, task=content.task, fields=fields)
        project.settings = {**project.settings, _MARK: content.task}
        _fill(session, actor, project, rows)
        if content.task == "srl":
            frames.store(session, project.id, _rolesets())
        versions.create(session, actor, project.id, note=_("The demo as it comes."), split=_SPLIT)
    return project


def _prepare(
    actor: Actor, content: DemoProject
) -> Iterator[tuple[dict[str, Any], dict[str, Any] | None]]:
    """The examples, each with what is said of it, but for the ids that the database gives."""
    task = get_task(content.task)
    schema = task.parse_schema(content.schema)
    rows = list(demo.read_rows(content))
    labelled = round(_LABELLED * len(rows))
    for number, row in enumerate(rows):
        inputs = task.parse_inputs({"text": row["text"], "tokens": row.get("tokens")})
        example = {
            "external_id": row["external_id"],
            "inputs": inputs.model_dump(mode="json", exclude_none=True),
            "meta": {"language": row["language"]},
            "content_hash": content_hash(row["text"]),
            "status": "labelled" if number < labelled else "open",
        }
        own = number >= labelled - _BY_ACTOR
        said = {
            "user_id": actor.user_id if own else None,
            "source": "person" if own else "import",
            "revision": 1,
            "payload": task.validate(row["annotation"], inputs, schema),
        }
        yield example, said if number < labelled else None


def _fill(
    session: Session,
    actor: Actor,
    project: Project,
    rows: list[tuple[dict[str, Any], dict[str, Any] | None]],
) -> None:
    task = get_task(project.task)
    ids = session.scalars(
        insert(Example).returning(Example.id, sort_by_parameter_order=True),
        [{**example, "project_id": project.id} for example, _said in rows],
    ).all()
    annotations = [
        {**said, "project_id": project.id, "example_id": example_id}
        for (_example, said), example_id in zip(rows, ids, strict=True)
        if said is not None
    ]
    session.execute(insert(Annotation), annotations)
    session.execute(
        update(Example)
        .where(Example.project_id == project.id, Example.status == "labelled")
        .values(
            gold_id=select(Annotation.id)
            .where(Annotation.example_id == Example.id)
            .scalar_subquery()
        )
        .execution_options(synchronize_session=False)
    )
    payloads = [task.parse_payload(said["payload"]) for said in annotations]
    label_sets.add_used(project, {name for said in payloads for name in task.label_names(said)})
    by_actor = sum(said["user_id"] is not None for said in annotations)
    session.flush()
    contributions.add(
        session,
        project.id,
        {actor.user_id: Change(annotated=by_actor)},
        examples=len(rows),
        labelled=len(annotations),
    )
    session.refresh(project)


def _rolesets() -> list[Roleset]:
    return [
        Roleset(
            id=item["id"],
            lemma=item["lemma"],
            name=item["name"],
            roles=tuple((role["role"], role["description"]) for role in item["roles"]),
        )
        for item in demo.read_rolesets()
    ]
