"""HTML pages and htmx fragments: parse, ask a service, render a template."""

from fastapi import APIRouter, Depends

from app.http.identity import authorize_change
from app.http.text import require_storable_input
from app.web import (
    accounts,
    api_docs,
    audit,
    comparing,
    evaluating,
    evaluation,
    examples,
    imports,
    label_issues,
    labelling,
    labels,
    models,
    near_duplicates,
    projects,
    run_lists,
    runs,
    searches,
    settings,
    training,
    versions,
    workers,
)

router = APIRouter(
    include_in_schema=False,
    dependencies=[Depends(authorize_change), Depends(require_storable_input)],
)
for module in (
    accounts,
    projects,
    labelling,
    labels,
    examples,
    imports,
    versions,
    training,
    run_lists,
    runs,
    searches,
    evaluation,
    label_issues,
    evaluating,
    models,
    near_duplicates,
    comparing,
    settings,
    workers,
    audit,
    api_docs,
):
    router.include_router(module.router)
