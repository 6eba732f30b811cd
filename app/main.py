"""The web application: all of its wiring."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from app import api, web
from app.api import document
from app.http import bodies, errors, head, health, logs, middleware, routing
from app.http.proxies import TrustedProxies
from app.http.statics import statics
from app.settings import get_settings
from app.web.render import error_page


def create_app() -> FastAPI:
    """Annotune as an ASGI application: pages, REST API, static files."""
    logs.configure()
    app = FastAPI(
        title="Annotune",
        description="Label text, freeze versioned datasets, fine-tune models.",
        version="1",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
    )
    app.add_middleware(head.HeadAsGet)
    app.add_middleware(bodies.Bodies)
    app.add_middleware(middleware.SecurityHeaders)
    app.add_middleware(middleware.RequestLog)
    app.add_middleware(TrustedProxies)
    settings = get_settings()
    if settings.metrics_token or settings.metrics_loopback:
        from app.http import metrics  # it costs memory, which only those pay who want it

        metrics.install(app)
    errors.install(app, page=error_page)
    app.mount("/static", statics(), name="static")
    health.install(app)
    # In this order: FastAPI prepares the routes before the one that matches, which the first page would wait for.
    app.include_router(web.router)
    app.include_router(api.router)
    document.install(app)
    return app


@asynccontextmanager
async def _lifespan(_app: FastAPI) -> AsyncIterator[None]:
    routing.limit_threads()
    yield
