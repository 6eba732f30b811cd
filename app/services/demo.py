"""The demo: three small projects that give every page something to show."""

from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from app import demo
from app.demo import DemoProject, DemoRow
from app.formats.frames import Roleset
from app.i18n import gettext as _
from app.models import Annotation, Example, Project, User
from app.services import contributions, frames, projects, versions
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


def load(session: Session, actor: Actor) -> list[Project]:
    """The demo projects of this person, in order; those that they have already stay as they are.

    Each comes with guidelines, examples, annotations and a first version, which a worker writes.
    """
    require_write(actor)
    session.get(User, actor.user_id, with_for_update=True)  # two clicks make one demo
    mine = session.scalars(select(Project).where(Project.created_by == actor.user_id))
    there = {project.settings[_MARK]: project for project in mine if _MARK in project.settings}
    return [there.get(content.task) or _make(session, actor, content) for content in demo.PROJECTS]


def _make(session: Session, actor: Actor, content: DemoProject) -> Project:
    fields = ProjectFields(
        name=content.name,
        description=content.description,
        language=content.language,
        guidelines=content.guidelines,
        label_schema=content.schema,
    )
    project = projects.create(session, actor, task=content.task, fields=fields)
    project.settings = {**project.settings, _MARK: content.task}
    _fill(session, actor, project, list(demo.read_rows(content)))
    if content.task == "srl":
        frames.store(session, project.id, _rolesets())
    versions.create(session, actor, project.id, note=_("The demo as it comes."), split=_SPLIT)
    return project


def _fill(session: Session, actor: Actor, project: Project, rows: list[DemoRow]) -> None:
    task = get_task(project.task)
    schema = task.parse_schema(project.label_schema)
    labelled = round(_LABELLED * len(rows))
    examples = []
    annotations: list[dict[str, Any]] = []
    for number, row in enumerate(rows):
        inputs = task.parse_inputs({"text": row["text"], "tokens": row.get("tokens")})
        examples.append(
            {
                "project_id": project.id,
                "external_id": row["external_id"],
                "inputs": inputs.model_dump(mode="json", exclude_none=True),
                "meta": {"language": row["language"]},
                "content_hash": content_hash(row["text"]),
                "status": "labelled" if number < labelled else "open",
            }
        )
        if number < labelled:
            own = number >= labelled - _BY_ACTOR
            annotations.append(
                {
                    "project_id": project.id,
                    "user_id": actor.user_id if own else None,
                    "source": "person" if own else "import",
                    "revision": 1,
                    "payload": task.validate(row["annotation"], inputs, schema),
                }
            )
    ids = session.scalars(
        insert(Example).returning(Example.id, sort_by_parameter_order=True), examples
    ).all()
    said = session.scalars(
        insert(Annotation).returning(Annotation.id, sort_by_parameter_order=True),
        [
            {**annotation, "example_id": example_id}
            for annotation, example_id in zip(annotations, ids, strict=False)
        ],
    ).all()
    session.execute(
        update(Example),
        [
            {"id": example_id, "gold_id": annotation_id}
            for example_id, annotation_id in zip(ids[:labelled], said, strict=True)
        ],
    )
    by_actor = sum(annotation["user_id"] is not None for annotation in annotations)
    contributions.add(
        session,
        project.id,
        {actor.user_id: Change(annotated=by_actor)},
        examples=len(rows),
        labelled=labelled,
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
