"""The OpenAPI document: FastAPI's, and what it does not say by itself."""

from typing import Any

from fastapi import FastAPI


def install(app: FastAPI) -> None:
    """Have the application publish the whole document."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            _complete(generate())
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for methods in document["paths"].values():
        for operation in methods.values():
            # Unknown fields of a form are refused, as those of a JSON body are.
            content = operation.get("requestBody", {}).get("content", {})
            if form := content.get("multipart/form-data"):
                name = form["schema"]["$ref"].rpartition("/")[2]
                schemas[name]["additionalProperties"] = False
