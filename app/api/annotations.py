"""Everybody's annotations, for managers."""

from typing import Annotated

from fastapi import Query, Response

from app.api.problems import Responses, problem
from app.api.schemas import Number, ProjectId
from app.http.download import send_annotations
from app.http.identity import Person
from app.http.routing import Db, Router
from app.services import annotation_export

router = Router(prefix="/projects/{project_id}", tags=["Versions"])

_ANNOTATIONS: Responses = {
    200: {
        "description": "One annotation a line, annotator by annotator, each in the order of time: who, when, which "
        "revision, from where, with comments, skips and proposals, and whether it was gold.",
        "content": {annotation_export.MEDIA_TYPE: {}},
    }
}
Annotator = Annotated[str | None, Query(description="Only this person's: their id.", max_length=40)]


@router.get("/annotations", response_class=Response, responses=_ANNOTATIONS)
def export_annotations(
    session: Db, person: Person, project_id: ProjectId, annotator: Annotator = None
) -> Response:
    """All that was ever said of the project's examples, every revision. For managers."""
    return send_annotations(session, person.actor, project_id, annotator=annotator)


@router.get(
    "/versions/{number}/annotations",
    response_class=Response,
    responses={**_ANNOTATIONS, 409: problem("The version is not written yet.")},
)
def export_version_annotations(
    session: Db,
    person: Person,
    project_id: ProjectId,
    number: Number,
    annotator: Annotator = None,
) -> Response:
    """All that had been said of a version's examples when it was frozen. For managers."""
    return send_annotations(session, person.actor, project_id, number=number, annotator=annotator)
