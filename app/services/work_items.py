"""An example as one person gets it: what stands, what they said, what they may do about it."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic_core import to_jsonable_python
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.errors import Conflict, NotFound
from app.i18n import gettext as _
from app.models import Annotation, Example, Project, User, now
from app.services import contributions, label_sets, remarks
from app.services.access import Actor, role_in
from app.services.label_names import Today
from app.services.revisions import is_newest
from app.tasks.base import TextInputs

Access = Literal["write", "replace", "propose", "read"]


@dataclass(frozen=True, slots=True)
class Author:
    """Somebody, as their colleagues see them."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Said:
    """The newest annotation that one author gave an example."""

    annotation_id: int
    revision: int
    payload: dict[str, Any] | None
    skipped: bool
    proposal: bool
    """Kept beside what stood: it never stood itself."""
    comment: str
    by: Author | None
    """None: an import, or somebody whose account is gone."""
    source: str
    """"person" or "import"."""
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Comment:
    """What somebody wrote beside their newest annotation, or why they set the example aside."""

    text: str
    by: Author
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a project is, and what of it is this person's."""

    done: int
    total: int
    mine: int
    skipped: int
    skipped_mine: int
    changed: int
    """Annotations of this person that others have replaced, and that they have not seen yet."""


@dataclass(frozen=True, slots=True)
class WorkItem:
    """An example as one person gets it."""

    id: int
    external_id: str | None
    inputs: dict[str, Any]
    """With `tokens` always filled."""
    meta: dict[str, Any]
    status: str
    base: int
    """The newest annotation of this example, by anyone; 0 if there is none. A save names it."""
    standing: Said | None
    """The gold."""
    mine: Said | None
    others: list[Said]
    """What each other person said that does not stand; for reviewers and managers."""
    comments: list[Comment]
    """What others wrote, the newest first. An annotator reads those of reviewers, on what they said something of."""
    changed: bool
    """What this person said stood, and was replaced by somebody else's."""
    access: Access
    access_reason: str
    """Why it is not "write", in words for the person."""
    lease_until: datetime | None
    """Until when it is reserved for this person; None if it is not."""
    labels_digest: str
    """Of the project's labels, their keys and the guidelines."""
    progress: Progress


def read(session: Session, actor: Actor, project: Project, example_id: int) -> WorkItem:
    """The example as it stands. The caller has checked that the actor may see the project. Raises NotFound."""
    example = session.scalar(
        select(Example).where(
            Example.id == example_id, Example.project_id == project.id, Example.status != "staged"
        )
    )
    if example is None:
        raise NotFound(_("There is no such example in this project."))
    return describe(session, actor, project, example)


def describe(session: Session, actor: Actor, project: Project, example: Example) -> WorkItem:
    """An example that has been read already, as this person gets it."""
    newest = said_of(session, project, example)
    standing = next((said for said in newest if said.annotation_id == example.gold_id), None)
    mine = next((said for said in newest if _is_by(said, actor)), None)
    role = role_in(session, actor, project.id)
    access, reason = access_to(actor, role, example, standing)
    may_see_others = role in ("reviewer", "manager")
    until = example.lease_until
    is_mine = example.lease_user_id == actor.user_id and until is not None and until > now()
    inputs = TextInputs.model_construct(**example.inputs)
    return WorkItem(
        id=example.id,
        external_id=example.external_id,
        inputs={**example.inputs, "tokens": inputs.token_spans()},
        meta=example.meta,
        status=example.status,
        base=newest[0].annotation_id if newest else 0,
        standing=standing,
        mine=mine,
        others=[s for s in newest if s is not standing and not _is_by(s, actor)]
        if may_see_others
        else [],
        comments=_comments(session, actor, project, example, newest),
        changed=_is_changed(mine, standing, actor),
        access=access,
        access_reason=reason,
        lease_until=until if is_mine else None,
        labels_digest=label_sets.digest(project),
        progress=progress(session, actor, project),
    )


def _comments(
    session: Session, actor: Actor, project: Project, example: Example, newest: list[Said]
) -> list[Comment]:
    if not any(said.comment and not _is_by(said, actor) for said in newest):
        return []
    return [
        Comment(found.comment, Author(found.user_id, found.name), found.created_at)
        for found in remarks.on_examples(session, actor, project, [example.id])
        if found.comment and found.user_id != actor.user_id
    ]


def said_of(session: Session, project: Project, example: Example) -> list[Said]:
    """The newest annotation of each author and the gold, the newest first, under the labels' names of today."""
    today = Today(project)
    rows = session.execute(
        select(Annotation, User.name)
        .outerjoin(User, User.id == Annotation.user_id)
        .where(
            Annotation.example_id == example.id,
            or_(is_newest(), Annotation.user_id.is_(None), Annotation.id == example.gold_id),
        )
        .order_by(Annotation.id.desc())
    )
    return [
        Said(
            annotation_id=annotation.id,
            revision=annotation.revision,
            payload=today(annotation.payload),
            skipped=annotation.payload is None,
            proposal=annotation.is_proposal,
            comment=annotation.comment,
            by=Author(annotation.user_id, name) if annotation.user_id else None,
            source=annotation.source,
            created_at=annotation.created_at,
        )
        for annotation, name in rows
    ]


def access_to(
    actor: Actor, role: str | None, example: Example, standing: Said | None
) -> tuple[Access, str]:
    """What this person may do to an example, and in words why it is not simply "write"."""
    if role is None or not actor.may_write:
        return "read", _("You may read this project, and change nothing.")
    if is_held_by_other(actor, example):
        return "propose", _(
            "Somebody else is labelling this example at the moment. You can keep yours beside theirs."
        )
    if standing is None or _is_by(standing, actor):
        return "write", ""
    if role == "annotator":
        return "propose", _propose_reason(standing)
    return "replace", _replace_reason(standing)


def is_held_by_other(actor: Actor, example: Example) -> bool:
    """Whether somebody else has reserved it at present."""
    return (
        example.status == "open"
        and example.lease_user_id not in (None, actor.user_id)
        and example.lease_until is not None
        and example.lease_until > now()
    )


def progress(session: Session, actor: Actor, project: Project) -> Progress:
    """Read from counters: nothing is counted."""
    mine = contributions.of(session, project.id, actor.user_id)
    return Progress(
        done=project.labelled_count,
        total=project.example_count,
        mine=mine.annotated,
        skipped=project.skipped_count,
        skipped_mine=mine.skipped,
        changed=mine.changed,
    )


def conflict(message: str, item: WorkItem) -> Conflict:
    """A Conflict that carries the example as it stands, but for its inputs, which never change."""
    state = asdict(item)
    del state["inputs"]
    return Conflict(message, current=to_jsonable_python(state))


def _is_by(said: Said, actor: Actor) -> bool:
    return said.by is not None and said.by.id == actor.user_id


def _is_changed(mine: Said | None, standing: Said | None, actor: Actor) -> bool:
    return (
        mine is not None
        and mine.payload is not None
        and not mine.proposal
        and standing is not None
        and not _is_by(standing, actor)
        and standing.annotation_id > mine.annotation_id
        and standing.payload != mine.payload
    )


def _propose_reason(standing: Said) -> str:
    if standing.source == "import":
        return _(
            "This label came with the import; a reviewer can change it. You can propose another."
        )
    if standing.by is None:
        return _(
            "Somebody else has labelled this; a reviewer can change it. You can propose another."
        )
    return _(
        "%(name)s has labelled this; a reviewer can change it. You can propose another.",
        name=standing.by.name,
    )


def _replace_reason(standing: Said) -> str:
    if standing.source == "import":
        return _("This label came with the import. Saving replaces it.")
    if standing.by is None:
        return _("Somebody else has labelled this. Saving replaces what they said.")
    return _("%(name)s has labelled this. Saving replaces what they said.", name=standing.by.name)
