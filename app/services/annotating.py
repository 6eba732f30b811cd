"""Labelling: opening an example, saving what a person says of it, and looking back."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from app.errors import Conflict, InvalidInput, NotFound
from app.i18n import gettext as _
from app.models import Annotation, Example, Project, UnseenChange, User
from app.services import contributions, label_sets, remarks, work_items
from app.services.access import Actor, project_for, role_in
from app.services.contributions import Change
from app.services.label_names import Today
from app.services.revisions import is_newest
from app.services.work_items import Author, Said, WorkItem
from app.tasks import get_task
from app.tasks.base import TextInputs

MAX_COMMENT = 5000
MAX_SECONDS = 86_400.0

Effect = Literal["stand", "replace", "propose"]
"""What a save is to do: stand where nobody else's does, replace somebody else's, or be kept beside it."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a person wants to save. A payload of None sets the example aside."""

    payload: dict[str, Any] | None
    base: int
    """The newest annotation of the example, by anyone, that the person has seen; 0 for none."""
    client_key: str
    effect: Effect = "stand"
    comment: str = ""
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Replaced:
    """That somebody else's annotation stands by now."""

    by: Author | None
    at: datetime
    summary: str
    """What stands, in a few words."""


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """Something that a person labelled, skipped or proposed."""

    id: int
    """The example's."""
    text: str
    summary: str
    skipped: bool
    stands: bool
    changed: Replaced | None
    updated_at: datetime


def open_example(session: Session, actor: Actor, project_id: str, example_id: int) -> WorkItem:
    """One example by its id, as it stands. Raises NotFound."""
    project = project_for(session, actor, project_id)
    return work_items.read(session, actor, project, example_id)


def save(
    session: Session, actor: Actor, project_id: str, example_id: int, draft: Draft
) -> Annotation:
    """Store a new revision. The same `client_key` for the same again stores nothing and gives the same.

    Raises Conflict, with the current state, if somebody said something since `draft.base`, if somebody else's
    annotation stands that this role cannot replace or somebody else holds the example, and for a skip while gold
    stands; Conflict, if the key belongs to another save; InvalidInput for a payload that does not fit.
    """
    project = project_for(session, actor, project_id, write=True)
    example = session.scalar(
        select(Example)
        .where(
            Example.id == example_id, Example.project_id == project_id, Example.status != "staged"
        )
        .with_for_update()
    )
    if example is None:
        raise NotFound(_("There is no such example in this project."))
    saved = _saved_before(session, actor, project, example, draft)
    if saved is not None:
        return saved
    newest = work_items.said_of(session, project, example)
    standing = next((said for said in newest if said.annotation_id == example.gold_id), None)
    if draft.effect == "propose":
        _check_proposal(session, actor, project, example, standing, draft)
    else:
        _check_save(session, actor, project, example, standing, newest, draft)
    annotation = _store(session, actor, project, example, newest, draft)
    is_first = annotation.revision == 1
    if draft.effect == "propose":
        # Whoever keeps theirs beside what stands has seen what stands.
        seen = 0 if is_first else _forget_unseen(session, example_id, actor.user_id)
        people = {actor.user_id: Change(annotated=int(is_first), changed=-seen)}
        stands = standing.payload if standing else None
        by = remarks.update(session, actor, project, annotation, stands, people)
        contributions.add(session, project_id, people, **by)
    else:
        _settle(session, actor, project, example, annotation, standing, newest)
    return annotation


def mark_seen(session: Session, actor: Actor, project_id: str, example_id: int) -> None:
    """This person has seen that somebody replaced their annotation."""
    project = project_for(session, actor, project_id, write=True)
    work_items.read(session, actor, project, example_id)
    seen = _forget_unseen(session, example_id, actor.user_id)
    contributions.add(session, project_id, {actor.user_id: Change(changed=-seen)})


def history(
    session: Session, actor: Actor, project_id: str, *, changed: bool = False, limit: int = 50
) -> list[HistoryItem]:
    """What this person labelled, skipped or proposed last, newest first, each example once.

    With `changed`, only what others have replaced and this person has not seen yet.
    """
    project = project_for(session, actor, project_id)
    task, today = get_task(project.task), Today(project)
    schema = task.parse_schema(project.label_schema)
    titles = {label.name: label.title or label.name for label in task.labels(schema)}
    gold = aliased(Annotation)
    mine = select(Annotation.id).where(Annotation.user_id == actor.user_id, is_newest())
    if changed:
        unseen = session.scalars(
            select(UnseenChange.example_id)
            .where(UnseenChange.project_id == project_id, UnseenChange.user_id == actor.user_id)
            .order_by(UnseenChange.example_id.desc())
            .limit(limit)
        ).all()
        mine = mine.where(Annotation.example_id.in_(unseen))
    else:
        mine = mine.where(Annotation.project_id == project_id)
    mine = mine.order_by(Annotation.id.desc()).limit(limit)
    query = (
        select(
            Annotation,
            Example.inputs,
            gold.id.label("gold_id"),
            gold.user_id.label("gold_by"),
            gold.payload.label("gold_payload"),
            gold.created_at.label("gold_at"),
            User.name,
        )
        .join(Example, Example.id == Annotation.example_id)
        .outerjoin(gold, gold.id == Example.gold_id)
        .outerjoin(User, User.id == gold.user_id)
        .where(Annotation.id.in_(mine))
        .order_by(Annotation.id.desc())
    )
    found = []
    for row in session.execute(query):
        annotation: Annotation = row.Annotation
        is_changed = (
            annotation.payload is not None
            and not annotation.is_proposal
            and row.gold_id is not None
            and row.gold_id > annotation.id
            and row.gold_by != actor.user_id
            and today(row.gold_payload) != today(annotation.payload)
        )
        by = Author(row.gold_by, row.name) if row.gold_by else None
        found.append(
            HistoryItem(
                id=annotation.example_id,
                text=row.inputs["text"][:200],
                summary=brief(task, today(annotation.payload), row.inputs, titles),
                skipped=annotation.payload is None,
                stands=row.gold_id == annotation.id,
                changed=Replaced(
                    by, row.gold_at, brief(task, today(row.gold_payload), row.inputs, titles)
                )
                if is_changed
                else None,
                updated_at=annotation.created_at,
            )
        )
    return found


def brief(
    task: Any,
    payload: dict[str, Any] | None,
    inputs: dict[str, Any],
    titles: Mapping[str, str] | None = None,
) -> str:
    """A payload in a few words; empty for none. `titles`: what labels are called, by their names."""
    if payload is None:
        return ""
    said = task.parse_payload(payload)
    if titles:
        said = task.map_labels(said, lambda name: titles.get(name, name))
    words: str = task.brief(said, TextInputs.model_construct(**inputs))
    return words if len(words) <= 200 else words[:199] + "…"


def _saved_before(
    session: Session, actor: Actor, project: Project, example: Example, draft: Draft
) -> Annotation | None:
    """The annotation that this very save has stored already. Raises Conflict if its key was used otherwise."""
    saved = session.scalar(
        select(Annotation).where(
            Annotation.user_id == actor.user_id, Annotation.client_key == draft.client_key
        )
    )
    if saved is None:
        return None
    payload, today = draft.payload, Today(project)
    if saved.example_id == example.id and payload is not None:
        task = get_task(project.task)
        payload = task.dump(task.normalise(task.parse_payload(payload), _inputs(example)))
    said = (today(saved.payload), saved.comment)
    if saved.example_id != example.id or said != (today(payload), draft.comment[:MAX_COMMENT]):
        raise _used_key()
    return saved


def _used_key() -> Conflict:
    return Conflict(
        _("This client_key belongs to another save: choose a new one for each. Nothing was stored.")
    )


def _check_proposal(
    session: Session,
    actor: Actor,
    project: Project,
    example: Example,
    standing: Said | None,
    draft: Draft,
) -> None:
    if draft.payload is None:
        raise InvalidInput.at("skipped", _("A proposal says something: it cannot be a skip."))
    if standing is not None and standing.by is not None and standing.by.id == actor.user_id:
        raise work_items.conflict(
            _("What stands is your own already: save a new one in its place."),
            work_items.describe(session, actor, project, example),
        )


def _check_save(
    session: Session,
    actor: Actor,
    project: Project,
    example: Example,
    standing: Said | None,
    newest: list[Said],
    draft: Draft,
) -> None:
    """Raises where a save would take away, unasked, what somebody else said or is just saying."""

    def refusal(message: str) -> Conflict:
        item = work_items.describe(session, actor, project, example)
        return work_items.conflict(message, item)

    if draft.payload is None and standing is not None:
        raise refusal(_("This example is labelled already; nothing was set aside."))
    if draft.base != (newest[0].annotation_id if newest else 0):
        raise refusal(_("Something was said of this example meanwhile. Look at it, then choose."))
    role = role_in(session, actor, project.id)
    access, reason = work_items.access_to(actor, role, example, standing)
    if access == "write" or (access == "replace" and draft.effect == "replace"):
        return
    raise refusal(reason)


def _store(
    session: Session,
    actor: Actor,
    project: Project,
    example: Example,
    newest: list[Said],
    draft: Draft,
) -> Annotation:
    payload = draft.payload
    if payload is not None:
        task = get_task(project.task)
        schema = task.parse_schema(project.label_schema)
        payload = task.validate(Today(project)(payload), _inputs(example), schema)
        _check_offered(task, schema, payload, newest)
        label_sets.note_used(session, project, task.label_names(task.parse_payload(payload)))
    mine = next((said for said in newest if said.by and said.by.id == actor.user_id), None)
    seconds = draft.seconds
    annotation = Annotation(
        project_id=project.id,
        example_id=example.id,
        user_id=actor.user_id,
        source="person",
        revision=mine.revision + 1 if mine else 1,
        payload=payload,
        is_proposal=draft.effect == "propose",
        comment=draft.comment[:MAX_COMMENT],
        seconds=None if seconds is None else max(0.0, min(seconds, MAX_SECONDS)),
        client_key=draft.client_key,
    )
    session.add(annotation)
    try:
        session.flush()
    except IntegrityError as error:
        # Another request has stored the same key for another example in this very moment.
        raise _used_key() from error
    return annotation


def _check_offered(task: Any, schema: Any, payload: dict[str, Any], newest: list[Said]) -> None:
    """A label that is retired stays where it is; nothing gets it anew. Raises InvalidInput."""

    def names(said: dict[str, Any] | None) -> set[str]:
        return set(task.label_names(task.parse_payload(said))) if said is not None else set()

    retired = {label.name for label in task.labels(schema) if label.retired}
    if new := (names(payload) & retired) - set().union(*(names(said.payload) for said in newest)):
        raise InvalidInput.at(
            "labels", _("The label “%(name)s” is not given any more.", name=min(new))
        )


def _settle(
    session: Session,
    actor: Actor,
    project: Project,
    example: Example,
    annotation: Annotation,
    standing: Said | None,
    newest: list[Said],
) -> None:
    """The annotation stands: the example's status and gold follow, and all counters."""
    me = annotation.user_id
    assert me is not None  # noqa: S101
    people: dict[str, Change] = {me: Change(annotated=int(annotation.revision == 1))}

    def change_of(user_id: str) -> Change:
        return people.setdefault(user_id, Change())

    before = example.status
    if example.skipped_by is not None:
        change_of(example.skipped_by).skipped -= 1
    if annotation.payload is None:
        example.status, example.skipped_by = "skipped", me
        people[me].skipped += 1
    else:
        example.status, example.skipped_by = "labelled", None
        example.gold_id = annotation.id
    example.lease_user_id = example.lease_until = None
    session.flush()
    if annotation.revision > 1:
        people[me].changed -= _forget_unseen(session, example.id, me)
    if standing is not None and (standing.by is None or standing.by.id != me):
        _note_unseen(session, annotation, standing, newest, people)
    by = remarks.update(session, actor, project, annotation, annotation.payload, people)
    contributions.add(
        session,
        example.project_id,
        people,
        **by,
        labelled=(example.status == "labelled") - (before == "labelled"),
        skipped=(example.status == "skipped") - (before == "skipped"),
    )


def _note_unseen(
    session: Session,
    annotation: Annotation,
    replaced: Said,
    newest: list[Said],
    people: dict[str, Change],
) -> None:
    """Whoever's annotation was replaced is to be told; whoever says just what stands now, not any more."""
    waiting = set(
        session.scalars(
            select(UnseenChange.user_id).where(UnseenChange.example_id == annotation.example_id)
        )
    )
    for said in newest:
        if said.by and said.by.id in waiting and said.payload == annotation.payload:
            _forget_unseen(session, annotation.example_id, said.by.id)
            people.setdefault(said.by.id, Change()).changed -= 1
    if replaced.by is not None and replaced.payload != annotation.payload:
        session.execute(
            insert(UnseenChange).values(
                example_id=annotation.example_id,
                user_id=replaced.by.id,
                project_id=annotation.project_id,
            )
        )
        people.setdefault(replaced.by.id, Change()).changed += 1


def _forget_unseen(session: Session, example_id: int, user_id: str) -> int:
    """How many rows were there: 0 or 1."""
    result: Any = session.execute(
        delete(UnseenChange)
        .where(UnseenChange.example_id == example_id, UnseenChange.user_id == user_id)
        .execution_options(synchronize_session=False)
    )
    return int(result.rowcount)


def _inputs(example: Example) -> TextInputs:
    return TextInputs.model_construct(**example.inputs)
