"""Changing labels that annotations have: renaming, merging, splitting, retiring, and taking each of that back.

No change touches an annotation: labels learn former names, and annotations are read under the names of today (see
`label_sets`). So each is one short transaction however large the project is, history and versions stay as they are,
and a merge can be taken apart again.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError
from sqlalchemy.orm import Session

from app.db import session_scope
from app.errors import InvalidInput
from app.i18n import gettext as _
from app.models import Project
from app.services import audit, label_sets, label_uses
from app.services.access import Actor, project_for
from app.services.label_uses import Uses
from app.strict import StrictModel
from app.tasks import get_task
from app.tasks.base import Label, new_labels

Name = Annotated[str, Field(min_length=1, max_length=100)]
PREVIEW_SECONDS = 3.0


class Rename(StrictModel):
    """Give a label another name."""

    kind: Literal["rename"]
    label: Name
    to: Name


class Merge(StrictModel):
    """Count everything that is labelled so as another label from now on."""

    kind: Literal["merge"]
    label: Name
    into: Name


class Split(StrictModel):
    """Offer finer labels in place of one: its examples are a list to be gone through, and keep it until then."""

    kind: Literal["split"]
    label: Name
    parts: list[Name] = Field(min_length=2, max_length=50)


class Retire(StrictModel):
    """Offer a label no longer; what has it keeps it."""

    kind: Literal["retire"]
    label: Name


class Restore(StrictModel):
    """Offer a retired label again."""

    kind: Literal["restore"]
    label: Name


class Remove(StrictModel):
    """Take away a label that nothing has but history."""

    kind: Literal["remove"]
    label: Name


class Separate(StrictModel):
    """Make a former name a label of its own again, with all that was labelled under that name."""

    kind: Literal["separate"]
    former: Name


LabelChange = Annotated[
    Rename | Merge | Split | Retire | Restore | Remove | Separate, Field(discriminator="kind")
]
_ADAPTER: TypeAdapter[Any] = TypeAdapter(LabelChange)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a change would do."""

    labels: list[Label]
    """As they would be."""
    uses: Uses
    """What has the labels that it is about."""


def change_from(data: dict[str, Any]) -> Any:
    """A checked change. Raises InvalidInput."""
    try:
        return _ADAPTER.validate_python(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = str(first["loc"][-1]) if first["loc"] else "kind"
        raise InvalidInput.at(
            where,
            _("The change of labels is not complete: choose what is to become of which label."),
        ) from error


def preview(actor: Actor, project_id: str, change: Any) -> Preview:
    """What a change would do, and how much it would touch; nothing is changed. Opens its own sessions, since it reads
    the annotations. Raises InvalidInput where the change cannot be made."""
    with session_scope(read_only=True) as session:
        project = project_for(session, actor, project_id, "manager")
    uses = label_uses.count(project, _about(project, change), seconds=PREVIEW_SECONDS)
    if isinstance(change, Remove) and uses.is_complete and not uses.current:
        project.used_labels = [name for name in project.used_labels if name != change.label]
    labels, _used = _changed(project, change)
    return Preview(labels, uses)


def apply(actor: Actor, project_id: str, change: Any) -> Project:
    """Change the labels. Opens its own sessions. Raises InvalidInput where that cannot be."""
    with session_scope(read_only=True) as session:
        project = project_for(session, actor, project_id, "manager", write=True)
    if isinstance(change, Remove):
        label_sets.forget_unused(project, {change.label})
    with session_scope() as session:
        return _apply(session, actor, project_id, change)


def _apply(session: Session, actor: Actor, project_id: str, change: Any) -> Project:
    project_for(session, actor, project_id, "manager", write=True)
    project = label_sets.locked(session, project_id)
    task = get_task(project.task)
    labels, used = _changed(project, change)
    schema = task.relabelled(task.parse_schema(project.label_schema), labels)
    project.label_schema, project.used_labels = schema.model_dump(mode="json"), sorted(used)
    audit.record(
        session,
        user_id=actor.user_id,
        action=f"labels.{change.kind}",
        project_id=project_id,
        subject=_about(project, change)[0] if change.kind != "separate" else change.former,
        **change.model_dump(exclude={"kind"}),
    )
    return project


def _about(project: Project, change: Any) -> list[str]:
    """The labels of today that a change is about."""
    if isinstance(change, Separate):
        return [label.name for label in _labels(project) if change.former in label.former] or [
            change.former
        ]
    return [change.label]


def _labels(project: Project) -> list[Label]:
    task = get_task(project.task)
    return task.labels(task.parse_schema(project.label_schema))


def _changed(project: Project, change: Any) -> tuple[list[Label], set[str]]:
    """The labels as a change makes them, and those that annotations may use."""
    labels, used = _labels(project), set(project.used_labels)
    match change:
        case Rename():
            one = _one(labels, change.label)
            to = change.to.strip()
            if to == one.name:
                raise InvalidInput.at("to", _("The label has this name already."))
            if any(to == label.name for label in labels):
                raise InvalidInput.at(
                    "to",
                    _("There is a label “%(name)s” already: merge the two instead.", name=to),
                )
            former = [name for name in (*one.former, one.name) if name != to]
            made = new_labels([to])[0]
            labels = _with(
                labels, one, [one.model_copy(update={"name": made.name, "former": former})]
            )
            used = _in_place_of(used, one.name, {to})
        case Merge():
            one, into = _one(labels, change.label), _one(labels, change.into, "into")
            if one.name == into.name:
                raise InvalidInput.at("into", _("Choose another label to merge it into."))
            former = [*into.former, one.name, *one.former]
            labels = _with(labels, one, [])
            labels = _with(labels, into, [into.model_copy(update={"former": former})])
            used = _in_place_of(used, one.name, {into.name})
        case Split():
            one = _one(labels, change.label)
            retired = one.model_copy(update={"retired": True, "hotkey": None})
            labels = _with(labels, one, [retired])
            at = labels.index(retired) + 1
            labels[at:at] = new_labels([name.strip() for name in change.parts], labels)
        case Retire():
            one = _one(labels, change.label)
            labels = _with(labels, one, [one.model_copy(update={"retired": True, "hotkey": None})])
        case Restore():
            one = _one(labels, change.label)
            key = one.hotkey or new_labels([one.name], labels)[0].hotkey
            labels = _with(labels, one, [one.model_copy(update={"retired": False, "hotkey": key})])
        case Remove():
            one = _one(labels, change.label)
            if one.name in used:
                raise InvalidInput.at(
                    "label",
                    _(
                        "“%(name)s” is used: merge it into another label, or retire it.",
                        name=one.name,
                    ),
                )
            labels = _with(labels, one, [])
        case Separate():
            having = [label for label in labels if change.former in label.former]
            if not having:
                raise InvalidInput.at(
                    "former", _("No label had the name “%(name)s” before.", name=change.former)
                )
            one = having[0]
            rest = [name for name in one.former if name != change.former]
            again = new_labels([change.former], labels)[0]
            labels = _with(labels, one, [one.model_copy(update={"former": rest}), again])
            used = _in_place_of(used, one.name, {one.name, change.former})
    if not any(not label.retired for label in labels):
        raise InvalidInput.at("label", _("At least one label must be offered."))
    task = get_task(project.task)
    label_sets.check_new(task, labels, _labels(project))
    task.relabelled(task.parse_schema(project.label_schema), labels)
    return labels, used


def _one(labels: list[Label], name: str, where: str = "label") -> Label:
    found = next((label for label in labels if label.name == name), None)
    if found is None:
        raise InvalidInput.at(where, _("This project has no label “%(label)s”.", label=name))
    return found


def _with(labels: list[Label], one: Label, others: list[Label]) -> list[Label]:
    at = labels.index(one)
    return [*labels[:at], *others, *labels[at + 1 :]]


def _in_place_of(used: set[str], name: str, others: set[str]) -> set[str]:
    return (used - {name}) | others if name in used else used
