"""The workers' page, for administrators."""

from fastapi import Request
from starlette.responses import Response

from app.http.identity import Person
from app.http.routing import Db, Router
from app.services import workers
from app.web.render import is_htmx, render

router = Router()


@router.get("/admin/workers")
def workers_page(request: Request, session: Db, person: Person) -> Response:
    found = workers.list_workers(session, person.actor)
    return render(
        request,
        "partials/workers.html" if is_htmx(request) else "pages/workers.html",
        workers=found,
        queues=workers.list_queues(session, found),
        active="workers",
    )
