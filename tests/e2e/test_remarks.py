"""A lead finds what an annotator asked and proposed, answers, and the annotator reads it."""

import pytest
from playwright.sync_api import expect

from tests.e2e.workplace import Workplace, application, workplace
from tests.factories import join, make_user

__all__ = ["application", "workplace"]
pytestmark = pytest.mark.e2e


def test_a_lead_finds_a_comment_and_answers_it(workplace: Workplace) -> None:
    project = workplace.project("sentiment", ["How cold it was.", "A fine day."])
    kim = make_user("Kim")
    join(project, workplace.ada, annotator=kim)
    asking = workplace.label(kim, project)
    asking.page.locator("#comment-box summary").click()
    asking.page.locator("#comment").fill("Which sense of “cold”?")
    asking.page.locator("[data-do=skip]").click()
    expect(asking.text).to_have_text("A fine day.")

    lead = workplace.context(workplace.ada).new_page()
    lead.goto(f"{workplace.url}/projects/{project.id}/examples")
    lead.locator("#status").select_option(label="With comments (1)")
    row = lead.locator("#examples tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("Kim wrote: Which sense of “cold”?")
    row.get_by_role("link").first.click()
    expect(lead.locator("#comments li")).to_contain_text("Kim wrote: Which sense of “cold”?")
    lead.locator("#comment-box summary").click()
    lead.locator("#comment").fill("The unfriendly one.")
    lead.locator("[data-label]").last.click()  # which saves it
    expect(lead.locator("#finished")).to_be_visible()

    asking.page.goto(f"{workplace.url}/projects/{project.id}/examples?status=comments")
    expect(asking.page.locator("#examples tbody")).to_contain_text("Ada wrote: The unfriendly one.")
    asking.page.locator("#examples tbody a").first.click()
    expect(asking.page.locator("#comments li")).to_contain_text("Ada wrote: The unfriendly one.")
    assert asking.errors == []
