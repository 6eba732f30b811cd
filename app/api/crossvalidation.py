"""Cross-validation, and the likely label errors that it finds."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import Field

from app.api.evaluation import DifferenceOut
from app.api.problems import problem
from app.api.runs import RunOut, RunWish, get_run
from app.api.schemas import Answer, ProjectId
from app.http.identity import Person
from app.http.routing import Db, Router
from app.services import label_issues, runs
from app.services.label_issues import State
from app.training import CrossValidateParams

router = Router(tags=["Runs and models"])

IssueId = Annotated[int, Path(description="The entry's id.", ge=1, le=2**53 - 1)]


class CrossValidationWish(RunWish):
    """A cross-validation to be started."""

    params: dict[str, Any] = Field(
        {},
        description="Fields of `CrossValidateParams`: those of a fine-tuning, and `folds`.",
        examples=[{"folds": 5, "epochs": 3}],
    )


class LabelIssueOut(Answer):
    """An example whose annotation is probably wrong."""

    id: int
    example_id: int
    text: str
    score: float = Field(description="How likely the annotation is right after all, 0 to 1.")
    given: dict[str, Any] = Field(description="The annotation in the version.")
    suggested: dict[str, Any] = Field(
        description="What was predicted by the model that had not seen the example."
    )
    differences: list[DifferenceOut] = Field(
        description="Part by part: `gold` is what is given, `predicted` what is suggested."
    )
    state: State = Field(
        description="Fixed: the example has been annotated anew. Dismissed: what is given is right."
    )
    dismissed_by: str | None = Field(description="The name of who dismissed it.")
    dismissed_at: datetime | None


class LabelIssueList(Answer):
    """Likely label errors of one run, the worst first."""

    run: str = Field(description="The id of the run that found them.")
    items: list[LabelIssueOut] = Field(description="At most 50.")
    counts: dict[State, int] = Field(description="How many there are in each state.")
    next_after: int | None = Field(description="Ask again with it as `after`; null at the end.")


@router.post(
    "/projects/{project_id}/crossvalidations",
    status_code=202,
    responses={409: problem("The version is not written yet.")},
)
def start_cross_validation(
    session: Db, person: Person, project_id: ProjectId, wish: CrossValidationWish
) -> RunOut:
    """Cross-validate on a version's training and validation splits. It is a run, as a fine-tuning is one."""
    run = runs.cross_validate(
        session,
        person.actor,
        project_id,
        version_number=wish.version,
        params=runs.params_from(
            session, person.actor, project_id, wish.version, wish.params, CrossValidateParams
        ),
        name=wish.name,
        turn=wish.turn(),
    )
    return get_run(session, person, run.id)


@router.get("/projects/{project_id}/label-issues")
def list_label_issues(
    session: Db,
    person: Person,
    project_id: ProjectId,
    run: Annotated[
        str | None, Query(description="Of this run; left out, of the newest one.", max_length=12)
    ] = None,
    state: Annotated[State, Query(description="Which of them.")] = "open",
    after: Annotated[int, Query(description="The answer's `next_after`.", ge=0, le=2**53 - 1)] = 0,
) -> LabelIssueList:
    """Likely label errors that a cross-validation found. For reviewers and managers."""
    page = label_issues.browse(
        session, person.actor, project_id, run_id=run, state=state, after=after
    )
    return LabelIssueList(
        run=page.run.id,
        items=[LabelIssueOut.model_validate(row) for row in page.rows],
        counts=page.counts,
        next_after=page.next_after,
    )


@router.post("/projects/{project_id}/label-issues/{issue_id}/dismiss", status_code=204)
def dismiss_label_issue(
    session: Db, person: Person, project_id: ProjectId, issue_id: IssueId
) -> None:
    """Say that what is given is right: the entry leaves the list."""
    label_issues.dismiss(session, person.actor, project_id, issue_id)


@router.post("/projects/{project_id}/label-issues/{issue_id}/reopen", status_code=204)
def reopen_label_issue(
    session: Db, person: Person, project_id: ProjectId, issue_id: IssueId
) -> None:
    """Take a dismissal back."""
    label_issues.reopen(session, person.actor, project_id, issue_id)
