"""The REST API's reference as a page: the OpenAPI document in words, without a script."""

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import Response

from app.http.identity import MaybeIdentity
from app.http.proxies import public_url
from app.http.routing import Router
from app.web.render import render

router = Router()
Schema = dict[str, Any]

_REFERENCE = "#/components/schemas/"
_METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a type's name; `form` is the form that it links to."""

    text: str
    form: str | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a field of a form."""

    name: str
    place: str
    """path, query or body."""
    kind: list[Piece]
    required: bool
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What an operation answers for one status."""

    status: str
    text: str
    kind: list[Piece]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address."""

    id: str
    method: str
    path: str
    summary: str
    text: str
    fields: list[Field]
    body: list[Piece]
    answers: list[Answer]
    curl: str


@dataclass(frozen=True, slots=True)
class Form:
    """A named form of what is sent or answered."""

    name: str
    text: str
    fields: list[Field]
    kind: list[Piece]


@router.get("/api/docs")
def api_docs(request: Request, identity: MaybeIdentity) -> Response:
    app: FastAPI = request.app
    document = app.openapi()
    forms = document["components"]["schemas"]
    groups: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method in filter(methods.__contains__, _METHODS):
            operation = _operation(f"{public_url(request)}/", method, path, methods[method], forms)
            groups.setdefault(methods[method]["tags"][-1], []).append(operation)
    every = [operation for operations in groups.values() for operation in operations]
    return render(
        request,
        "pages/api_docs.html",
        groups=groups,
        shared=[a for a in every[0].answers if all(a in other.answers for other in every)],
        forms=[_form(name, forms[name]) for name in sorted(forms)],
        schemes=document["components"]["securitySchemes"],
        active="api",
    )


def _operation(base: str, method: str, path: str, data: Schema, forms: Schema) -> Operation:
    media, body = _content(data.get("requestBody", {}))
    return Operation(
        id=data["operationId"],
        method=method.upper(),
        path=path,
        summary=data["summary"],
        text=data.get("description", ""),
        fields=[
            Field(
                parameter["name"],
                parameter["in"],
                _kind(parameter["schema"]),
                parameter.get("required", False),
                parameter.get("description", ""),
            )
            for parameter in data.get("parameters", ())
        ],
        body=_kind(body) if body else [],
        answers=[
            Answer(status, answer["description"], _kind(_content(answer)[1]))
            for status, answer in sorted(data["responses"].items())
        ],
        curl=_curl(base, method, _filled_in(path, data), media, body, forms),
    )


def _content(data: Schema) -> tuple[str, Schema]:
    """Media type and schema of a body; the problem document rather than its empty JSON twin."""
    content = data.get("content", {})
    problem = "application/problem+json"
    media = problem if problem in content else next(iter(content), "")
    return media, content.get(media, {}).get("schema", {})


def _form(name: str, schema: Schema) -> Form:
    required = schema.get("required", ())
    fields = [
        Field(key, "body", _kind(value), key in required, value.get("description", ""))
        for key, value in schema.get("properties", {}).items()
    ]
    return Form(name, schema.get("description", ""), fields, [] if fields else _kind(schema))


def _kind(schema: Schema) -> list[Piece]:
    """What a value is, in words."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_REFERENCE)
        return [Piece(name, name)]
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return _joined([_kind(option) for option in schema[word]], " or ")
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return [Piece(" | ".join(json.dumps(value, ensure_ascii=False) for value in values))]
    if schema.get("type") == "array":
        inner = schema.get("items") or {"type": "any"}
        if "prefixItems" in schema:
            parts = [_kind(item) for item in schema["prefixItems"]]
            return [Piece("["), *_joined(parts, ", "), Piece("]")]
        return [Piece("list of "), *_kind(inner)]
    if schema.get("contentMediaType") or schema.get("format") == "binary":
        return [Piece("file")]
    words = [schema.get("type", "any"), *([schema["format"]] if "format" in schema else [])]
    bounds = [
        f"{sign} {schema[key]}"
        for key, sign in (
            ("minimum", "≥"),
            ("exclusiveMinimum", ">"),
            ("maximum", "≤"),
        )
        if key in schema
    ]
    default = schema.get("default")
    said = [] if default in (None, "", {}, []) else [f"default {json.dumps(default)}"]
    return [Piece(", ".join([" ".join(words), *bounds, *said]))] if words != ["any"] else []


def _joined(parts: list[list[Piece]], between: str) -> list[Piece]:
    pieces: list[Piece] = []
    for part in filter(None, parts):
        pieces += [*([Piece(between)] if pieces else []), *part]
    return pieces


def _curl(base: str, method: str, path: str, media: str, body: Schema, forms: Schema) -> str:
    """A line to try the operation with; what is to be filled in stands in capitals."""
    words = ["curl", "-H", '"Authorization: Bearer $ANNOTUNE_TOKEN"']
    if method not in ("get", "post") or (method == "post" and not body):
        words += ["-X", method.upper()]
    if media == "multipart/form-data":
        words += ["-F", "file=@FILE"]
    elif body:
        sample = json.dumps(_sample(body, forms), ensure_ascii=False)
        words += ["-H", "'Content-Type: application/json'", "-d", shlex.quote(sample)]
    return " ".join([*words, shlex.quote(base.rstrip("/") + path)])


def _filled_in(path: str, data: Schema) -> str:
    """The path with its parameters, and the queries that must be there, in capitals."""
    queries = []
    for parameter in data.get("parameters", ()):
        name, value = parameter["name"], parameter["name"].removesuffix("_id").upper()
        if parameter["in"] == "path":
            path = path.replace(f"{{{name}}}", value)
        elif parameter.get("required"):
            queries.append(f"{name}={value}")
    return path + ("?" + "&".join(queries) if queries else "")


def _sample(schema: Schema, forms: Schema) -> Any:
    """A value of a schema: its first example, else the least that will do."""
    if "$ref" in schema:
        schema = forms[schema["$ref"].removeprefix(_REFERENCE)]
    if schema.get("examples"):
        return schema["examples"][0]
    if "default" in schema:
        return schema["default"]
    options = schema.get("anyOf") or schema.get("oneOf")
    if options:
        return _sample(options[0], forms)
    kind = schema.get("type")
    if kind == "object":
        return dict(_sampled_fields(schema, forms))
    if kind == "array":
        return [_sample(schema["items"], forms)] if schema.get("minItems") else []
    if "enum" in schema or "const" in schema:
        return schema.get("enum", [schema.get("const")])[0]
    return {"integer": 1, "number": 1, "boolean": False, "string": "…"}.get(str(kind))


def _sampled_fields(schema: Schema, forms: Schema) -> Iterator[tuple[str, Any]]:
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        if name in required or field.get("examples"):
            yield name, _sample(field, forms)
