"""People at their browsers, before a server in this very process: for tests that need no worker."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlalchemy import select

from app.db import session_scope
from app.http.identity import COOKIE
from app.main import create_app
from app.models import Annotation, Example, Project, User
from app.services import accounts
from tests.conftest import serving
from tests.factories import fill, make_project, make_user


class Workplace:
    """A server, and who works there; Ada is the administrator."""

    def __init__(self, url: str, browser: Browser) -> None:
        self.url, self._browser = url, browser
        self.ada = make_user("Ada", admin=True)
        self._contexts: list[BrowserContext] = []

    def project(self, task: str, rows: Sequence[str | dict[str, Any]], **fields: Any) -> Project:
        """A project of Ada's with these examples."""
        project = make_project(self.ada, task, **fields)
        fill(project, self.ada, [{"text": row} if isinstance(row, str) else row for row in rows])
        return project

    def context(self, user: User, **options: Any) -> BrowserContext:
        """A browser of their own in which this person is logged in."""
        context = self._browser.new_context(**{"locale": "en"} | options)
        context.set_default_timeout(10_000)
        self.log_in(context, user)
        self._contexts.append(context)
        return context

    def log_in(self, context: BrowserContext, user: User) -> None:
        """Let a browser be this person's, whoever's it was."""
        with session_scope() as session:
            secret = accounts.start_session(session, user)
        context.add_cookies([{"name": COOKIE, "value": secret, "url": self.url}])

    def address(self, project: Project, example: int | None = None) -> str:
        """Where this project is labelled."""
        return f"{self.url}/projects/{project.id}/label" + (
            f"?example={example}" if example else ""
        )

    def label(
        self, user: User, project: Project, example: int | None = None, **options: Any
    ) -> "Workbench":
        """The workbench, open before this person in a browser of theirs."""
        return Workbench(self.context(user, **options).new_page(), self.address(project, example))

    def close(self) -> None:
        for context in self._contexts:
            context.close()


class Workbench:
    """The labelling page."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address = page, address
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.text = page.locator("#text")
        self.said = page.locator("#said")
        self.banner = page.locator("#banner")
        self.conflict = page.locator("#conflict")
        page.goto(address)

    def press(self, *keys: str) -> None:
        """Press keys, one after the other, each when what the one before began has ended."""
        for key in keys:
            self.settled()
            self.page.keyboard.press(key)
        self.settled()

    def settled(self) -> None:
        """Wait until nothing is under way."""
        expect(self.page.locator("#desk[aria-busy]")).to_have_count(0)

    def choose(self, key: str) -> None:
        """Choose in the dialog that asks which one shall stand, once it takes keys."""
        expect(self.conflict).to_be_visible()
        self.page.wait_for_timeout(800)
        self.page.keyboard.press(key)

    def hold(self, key: str, times: int = 12) -> None:
        """Hold a key down until it has repeated so often."""
        *modifiers, last = key.split("+")
        for modifier in modifiers:
            self.page.keyboard.down(modifier)
        for _ in range(times):
            self.page.keyboard.down(last)
            self.page.wait_for_timeout(30)
        for name in (last, *modifiers):
            self.page.keyboard.up(name)
        self.settled()

    def key(self, key: str, code: str, **modifiers: bool) -> None:
        """A key press as a keyboard of another layout sends it."""
        self.settled()
        self.page.evaluate(
            "init => document.body.dispatchEvent(new KeyboardEvent('keydown', init))",
            {"key": key, "code": code, "bubbles": True, "cancelable": True, **modifiers},
        )
        self.settled()

    def words(self, selector: str = "#entities .item-words") -> list[str]:
        """The words of a list on the page."""
        return self.page.locator(selector).all_inner_texts()

    def middle(self, word: str) -> tuple[float, float]:
        """Where on the screen a word of the text is."""
        expect(self.text).to_contain_text(word)
        box = self.text.evaluate(
            """(root, word) => {
              const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
              while (walker.nextNode()) {
                const at = walker.currentNode.data.indexOf(word);
                if (at < 0) continue;
                const range = document.createRange();
                range.setStart(walker.currentNode, at);
                range.setEnd(walker.currentNode, at + word.length);
                const { x, y, width, height } = range.getBoundingClientRect();
                return [x + width / 2, y + height / 2];
              }
            }""",
            word,
        )
        assert box, f"the page does not show {word}"
        return box[0], box[1]

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Drag the mouse."""
        self.page.mouse.move(*start)
        self.page.mouse.down()
        self.page.mouse.move(*end, steps=6)
        self.page.mouse.up()


def example_of(project: Project, text: str) -> Example:
    """The example with this text."""
    with session_scope(read_only=True) as session:
        found = session.scalars(select(Example).where(Example.project_id == project.id))
        return next(example for example in found if example.inputs["text"] == text)


def gold_of(project: Project, text: str) -> Any:
    """What stands for the example with this text, if anything does."""
    gold = example_of(project, text).gold_id
    with session_scope(read_only=True) as session:
        return session.get_one(Annotation, gold).payload if gold else None


def statuses(project: Project) -> list[str]:
    """The state of each example, in order."""
    with session_scope(read_only=True) as session:
        query = select(Example.status).where(Example.project_id == project.id).order_by(Example.id)
        return list(session.scalars(query))


@pytest.fixture(scope="session")
def application() -> FastAPI:
    return create_app()


@pytest.fixture
def workplace(sqlite: str, application: FastAPI, browser: Browser) -> Iterator[Workplace]:
    """A server on a fresh database."""
    with serving(application) as url:
        made = Workplace(url, browser)
        yield made
        made.close()
