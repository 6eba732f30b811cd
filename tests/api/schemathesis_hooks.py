"""A check of Annotune's own for Schemathesis."""

import schemathesis
from schemathesis.core.failures import Failure
from schemathesis.generation.meta import StatefulPhaseData

REFUSED = "The request is not in the form this address takes."


@schemathesis.check
def refused_for_its_form(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> None:
    """What the document allows is never refused for its form, only for what it means."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if isinstance(case.meta.phase.data, StatefulPhaseData):
        return  # takes the id of one thing for another's
    if response.status_code != 422 or (body := response.json())["detail"] != REFUSED:
        return
    # Those are of our own validators: two fields together mean nothing.
    unexplained = [p for p in body["problems"] if not p["message"].startswith("Value error, ")]
    if len(unexplained) == len(body["problems"]):
        raise Failure(
            operation=case.operation.label,
            title="Documented form refused",
            message=str(body["problems"]),
        )
