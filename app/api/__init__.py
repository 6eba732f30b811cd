"""The REST API, version 1: parse, ask a service, answer with a schema."""

from fastapi import APIRouter, Depends

from app.api import (
    account,
    annotations,
    audit,
    crossvalidation,
    evaluating,
    evaluation,
    examples,
    imports,
    jobs,
    labelling,
    labels,
    models,
    near_duplicates,
    projects,
    rolesets,
    runs,
    searches,
    tasks,
    users,
    versions,
    workers,
)
from app.api.problems import PROBLEMS
from app.api.security import browser_session, token
from app.http.identity import authorize_change
from app.http.parameters import require_known_parameters
from app.http.text import require_storable_input

router = APIRouter(
    prefix="/api/v1",
    dependencies=[
        Depends(token),
        Depends(browser_session),
        Depends(authorize_change),
        Depends(require_storable_input),
        Depends(require_known_parameters),
    ],
    responses=PROBLEMS,
    generate_unique_id_function=lambda route: route.name,
)
for module in (
    account,
    tasks,
    projects,
    examples,
    labelling,
    labels,
    rolesets,
    imports,
    versions,
    annotations,
    runs,
    searches,
    evaluation,
    crossvalidation,
    evaluating,
    models,
    near_duplicates,
    jobs,
    workers,
    users,
    audit,
):
    router.include_router(module.router)
