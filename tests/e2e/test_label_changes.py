"""Changing labels in the browser: by keyboard alone, and as a worklist."""

import pytest
from playwright.sync_api import Page, expect

from app.db import session_scope
from app.models import Project
from tests.e2e.accessibility import problems
from tests.e2e.workplace import Workplace, application, workplace

__all__ = ["application", "workplace"]
pytestmark = pytest.mark.e2e

PHONE = {"viewport": {"width": 390, "height": 800}, "color_scheme": "dark", "locale": "zh-CN"}
ROWS = [
    {"text": "Very good.", "annotation": {"labels": ["positive"]}},
    {"text": "Bad.", "annotation": {"labels": ["negative"]}},
    {"text": "So good.", "annotation": {"labels": ["positive"]}},
]


def labels_of(project: Project) -> list[str]:
    with session_scope(read_only=True) as session:
        schema = session.get_one(Project, project.id).label_schema
    return [label["name"] for label in schema["labels"]]


def open_page(workplace: Workplace, project: Project, path: str, **options: object) -> Page:
    page = workplace.context(workplace.ada, **options).new_page()
    page.goto(f"{workplace.url}/projects/{project.id}{path}")
    return page


def test_a_label_is_renamed_by_keyboard_alone(workplace: Workplace) -> None:
    project = workplace.project("sentiment", ROWS)
    page = open_page(workplace, project, "/labels")
    page.get_by_role("combobox", name="Label").first.focus()
    page.keyboard.press("Tab")  # to what is to be done: a rename
    page.keyboard.press("Tab")
    page.keyboard.type("good")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="“positive” becomes “good”")).to_be_visible()
    expect(page.get_by_text("Examples that have it")).to_be_visible()
    page.keyboard.press("Enter")  # the button has the focus
    expect(page.get_by_text("The labels are changed.")).to_be_visible()
    assert labels_of(project)[0] == "good"


def test_the_order_of_labels_is_changed_by_keyboard(workplace: Workplace) -> None:
    project = workplace.project("sentiment", ROWS)
    page = open_page(workplace, project, "/settings")
    page.locator("input[name=label_title]").first.focus()
    page.keyboard.press("Alt+ArrowDown")
    expect(page.locator("input[name=label_title]").nth(1)).to_be_focused()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    assert labels_of(project) == ["neutral", "positive", "negative"]


def test_the_examples_of_a_split_label_are_gone_through_one_by_one(workplace: Workplace) -> None:
    project = workplace.project("sentiment", ROWS)
    page = open_page(workplace, project, "/labels")
    page.get_by_label("Split it into finer ones").check()
    page.get_by_label("Finer labels").fill("delighted\ncontent")
    page.get_by_role("button", name="Look at what it touches").click()
    page.get_by_role("button", name="Yes, change it").click()
    page.get_by_role("row", name="positive").get_by_role("link", name="Go through them").click()
    expect(page.locator("#text")).to_have_text("Very good.")
    expect(page.get_by_role("button", name="delighted")).to_be_visible()
    expect(page.locator(".palette-gone")).to_contain_text("positive")


@pytest.mark.parametrize("options", [{}, PHONE])
def test_the_page_is_right_for_everybody(workplace: Workplace, options: dict[str, object]) -> None:
    project = workplace.project("sentiment", ROWS)
    page = open_page(workplace, project, "/labels?kind=split&label=positive&parts=a%0Ab", **options)
    assert problems(page) == []
