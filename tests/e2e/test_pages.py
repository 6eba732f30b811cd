"""Every page, at desktop and phone width, light and dark, in English and Chinese."""

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.accessibility import problems
from tests.e2e.conftest import Server, sign_in, wait_for

pytestmark = pytest.mark.e2e
SCREENS = {
    "desktop, light, English": {
        "viewport": {"width": 1280, "height": 860},
        "color_scheme": "light",
        "locale": "en",
    },
    "phone, dark, Chinese": {
        "viewport": {"width": 360, "height": 740},
        "color_scheme": "dark",
        "locale": "zh-CN",
        "has_touch": True,
    },
}


@pytest.fixture(scope="module")
def pages(client: httpx.Client) -> list[str]:
    """The addresses of all pages, of a server with the demo and a version of it."""
    client.post("/demo")
    items = client.get("/api/v1/projects").json()["items"]
    projects = {item["task"]: item["id"] for item in items}
    for project in projects.values():
        version = client.post(f"/api/v1/projects/{project}/versions", json={}).json()
        path = f"/api/v1/projects/{project}/versions/{version['number']}"
        wait_for(lambda path=path: client.get(path).json()["sha256"], "no version")
    upload = {"file": ("rows.csv", b"text,label\nGood.,positive\nBad.,dreadful\n")}
    made = client.post(f"/projects/{projects['sentiment']}/import", files=upload)
    return [
        "/",
        "/projects/new",
        "/runs",
        "/account",
        "/admin/users",
        "/admin/workers",
        "/api/docs",
        "/not-there",
        made.headers["location"],
        *(f"/projects/new?task={task}" for task in projects),
        *(
            f"/projects/{project}{page}"
            for project in projects.values()
            for page in ("", "/label", "/settings", "/versions/1", "/versions/1/train")
        ),
        *(
            f"/projects/{projects['ner']}{page}"
            for page in ("/examples", "/import", "/versions", "/runs")
        ),
    ]


@pytest.mark.parametrize("screen", SCREENS)
def test_every_page_is_accessible_and_fits(
    browser: Browser, client: httpx.Client, server: Server, pages: list[str], screen: str
) -> None:
    found: dict[str, list[str]] = {}
    with browser.new_context(**SCREENS[screen]) as context:
        page = context.new_page()
        for path in ("/login", "/setup"):
            page.goto(server.url + path)
            found[path] = problems(page)
        sign_in(context, client, server)
        for path in pages:
            page.goto(server.url + path)
            if path.endswith("/label"):
                expect(page.locator("#text")).not_to_be_empty()
            found[path] = problems(page)
    assert {path: lines for path, lines in found.items() if lines} == {}
