"""What an address does not take is refused: a misspelt parameter is an error, not silence."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, get_args, get_origin

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from app.errors import InvalidInput, Problem
from app.i18n import gettext as _

Known = dict[str, bool]
"""The names that a place of the request takes, each with whether it may come several times."""

_known: dict[Callable[..., Any], tuple[Known, Known]] = {}


async def require_known_parameters(request: Request) -> None:
    """Raises InvalidInput for query parameters and form fields that the route does not have, or that it has
    once and were given several times.

    A dependency of a whole router: what a route takes is read from the route itself.
    """
    route = request.scope["route"]
    if not isinstance(route, APIRoute):
        return
    query, form = _known.get(route.endpoint) or _known.setdefault(route.endpoint, _read(route))
    problems = list(_unknown("query", request.query_params.multi_items(), query))
    if form and "form" in request.headers.get("content-type", ""):
        given = await request.form()  # parsed already, for the handler
        problems += _unknown("body", given.multi_items(), form)
    if problems:
        raise InvalidInput(_("The request holds what this address does not take."), problems)


def _read(route: APIRoute) -> tuple[Known, Known]:
    """What a route takes in its query, and in its form."""

    def named(fields: Callable[[Dependant], Iterable[Any]]) -> Known:
        return {
            field.alias: _is_list(field.field_info.annotation)
            for dependant in _flat(route.dependant)
            for field in fields(dependant)
        }

    return named(lambda d: d.query_params), named(lambda d: d.body_params)


def _flat(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for each in dependant.dependencies:
        yield from _flat(each)


def _is_list(annotation: Any) -> bool:
    return any(get_origin(part) is list for part in (annotation, *get_args(annotation)))


def _unknown(place: str, given: Iterable[tuple[str, object]], known: Known) -> Iterator[Problem]:
    for name, count in Counter(name for name, _value in given).items():
        where = f"{place}.{name}"
        if name not in known and known:
            yield Problem(where, _("Not known here. Known are: %(names)s.", names=", ".join(known)))
        elif name not in known:
            yield Problem(where, _("Not known here: this address takes no parameters."))
        elif count > 1 and not known[name]:
            yield Problem(where, _("Given more than once."))
