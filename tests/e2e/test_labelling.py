"""The workbench under a person's hands: keys, pointer, two tabs, a lost connection, a reload."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Server, sign_in, wait_for

pytestmark = pytest.mark.e2e

FRAMES = b"""<?xml version="1.0"?>
<frameset><predicate lemma="give">
  <roleset id="give.01" name="transfer">
    <roles><role n="0" f="PAG" descr="giver"/><role n="1" f="PPT" descr="thing given"/>
    <role n="2" f="GOL" descr="one who gets it"/></roles>
  </roleset>
  <roleset id="give.02" name="yield under pressure"><roles><role n="0" descr="yielder"/></roles></roleset>
</predicate></frameset>
"""
NER_LABELS = {
    "mode": "flat",
    "labels": [
        {"name": "PER", "title": "Person", "color": "#2563eb", "hotkey": "1"},
        {"name": "LOC", "title": "Place", "color": "#15803d", "hotkey": "2"},
    ],
}


class Desk:
    """A project of these texts, and the page on which they are labelled."""

    def __init__(
        self, page: Page, client: httpx.Client, server: Server, task: str, *texts: str
    ) -> None:
        self.page, self._client = page, client
        made: dict[str, Any] = {"name": "A desk", "task": task}
        if task == "ner":
            made["label_schema"] = NER_LABELS
        self.project = client.post("/api/v1/projects", json=made).json()["id"]
        self._api = f"/api/v1/projects/{self.project}"
        if task == "srl":
            answer = client.post(f"{self._api}/rolesets", files={"file": ("give.xml", FRAMES)})
            file = f"{self._api}/rolesets/files/{answer.json()['id']}"
            wait_for(lambda: client.get(file).json()["loaded"] == 2, "no frames")
        lines = "".join(f"{text}\n" for text in texts).encode()
        client.post(f"{self._api}/imports", files={"file": ("texts.txt", lines)})
        wait_for(lambda: client.get(self._api).json()["example_count"] == len(texts), "no import")
        self.url = f"{server.url}/projects/{self.project}/label"
        self.text = page.locator("[data-testid=text]")

    def open(self) -> None:
        self.page.goto(self.url)
        expect(self.text).not_to_be_empty()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def save(self) -> None:
        """Save, and wait for what comes next."""
        with self.page.expect_response(lambda answer: "/queue/next" in answer.url):
            self.press("Enter")
        expect(self.page.locator("#desk")).not_to_have_attribute("aria-busy", "true")

    def stored(self, place: int = 0) -> dict[str, Any]:
        """An example as the server has it."""
        items = self._client.get(f"{self._api}/examples").json()["items"]
        found = sorted(items, key=lambda item: item["id"])[place]
        return dict(self._client.get(f"{self._api}/examples/{found['id']}").json())

    def select(self, first: str, last: str) -> None:
        """Drag from the middle of one word to the middle of another."""
        places = [self.middle(first), self.middle(last)]
        self.page.mouse.move(*places[0])
        self.page.mouse.down()
        self.page.mouse.move(*places[1], steps=4)
        self.page.mouse.up()

    def middle(self, word: str) -> tuple[float, float]:
        """Where on the screen a word is."""
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


@pytest.fixture
def desk_for(page: Page, client: httpx.Client, server: Server) -> Callable[..., Desk]:
    """Makes a desk with a task and texts, open before Ada."""
    sign_in(page.context, client, server)

    def make(task: str, *texts: str) -> Desk:
        desk = Desk(page, client, server, task, *texts)
        desk.open()
        return desk

    return make


def test_entities_by_keys_are_stored_in_code_points(
    desk_for: Callable[..., Desk], page: Page
) -> None:
    desk = desk_for("ner", "🙂 Mei Lin 去了巴黎。")
    # 🙂, Mei, and Lin with it: a person. 去, 了, 巴, and 黎 with it: a place.
    desk.press("ArrowRight", "ArrowRight", "Shift+ArrowRight", "1")
    desk.press(*["ArrowRight"] * 3, "Shift+ArrowRight", "2")
    expect(page.locator("#entities li")).to_have_count(2)
    desk.press("Control+z")
    expect(page.locator("#entities li")).to_have_count(1)
    desk.press("Control+Shift+z")
    expect(page.locator("#entities li")).to_have_count(2)
    desk.save()
    assert desk.stored()["annotation"] == {
        "spans": [{"start": 2, "end": 9, "label": "PER"}, {"start": 12, "end": 14, "label": "LOC"}]
    }


def test_entities_by_pointer_snap_to_words(desk_for: Callable[..., Desk], page: Page) -> None:
    desk = desk_for("ner", "Anna Berg lives in Graz.")
    desk.select("nn", "er")
    desk.press("1")
    page.mouse.click(*desk.middle("Graz"))
    page.get_by_role("button", name="Place").click()
    assert page.locator("#entities .item-words").all_inner_texts() == ["Anna Berg", "Graz"]
    # A click on an entity picks it; another label's key changes it, Delete takes it away.
    page.mouse.click(*desk.middle("Berg"))
    desk.press("2")
    page.mouse.click(*desk.middle("Graz"))
    desk.press("Delete")
    desk.save()
    assert desk.stored()["annotation"] == {"spans": [{"start": 0, "end": 9, "label": "LOC"}]}


def test_semantic_roles_with_their_senses(desk_for: Callable[..., Desk], page: Page) -> None:
    desk = desk_for("srl", "Mei gave Bo the book and left.")
    desk.press("ArrowRight", "ArrowRight", "Shift+P")
    expect(page.locator("#senses button")).to_have_count(2)
    desk.press("Shift+Digit1")
    expect(page.locator("#palette button", has_text="giver")).to_be_visible()
    for first, last, role in (
        ("Mei", "Mei", "ARG0"),
        ("the", "book", "ARG1"),
        ("Bo", "Bo", "ARG2"),
    ):
        desk.select(first, last)
        page.locator(f"#palette button[data-label={role}]").click()
    page.mouse.click(*desk.middle("left"))
    desk.press("Shift+P")
    desk.select("Mei", "Mei")
    page.locator("#palette button[data-label=ARG0]").click()
    expect(page.locator("#predicates li")).to_have_count(2)
    desk.save()
    assert desk.stored()["annotation"] == {
        "predicates": [
            {
                "start": 4,
                "end": 8,
                "sense": "give.01",
                "arguments": [
                    {"start": 0, "end": 3, "role": "ARG0"},
                    {"start": 9, "end": 11, "role": "ARG2"},
                    {"start": 12, "end": 20, "role": "ARG1"},
                ],
            },
            {
                "start": 25,
                "end": 29,
                "sense": None,
                "arguments": [{"start": 0, "end": 3, "role": "ARG0"}],
            },
        ]
    }


def test_a_reload_brings_the_draft_back(desk_for: Callable[..., Desk], page: Page) -> None:
    desk = desk_for("ner", "Anna lives in Graz.")
    desk.press("ArrowRight", "1")
    expect(page.locator("#entities li")).to_have_count(1)
    page.reload()
    expect(page.locator("#entities li")).to_have_count(1)
    assert desk.stored()["annotation"] is None


def test_a_lost_connection_loses_nothing_and_stores_nothing_twice(
    desk_for: Callable[..., Desk], page: Page
) -> None:
    desk = desk_for("sentiment", "Good.", "Bad.")
    page.context.set_offline(True)
    desk.press("1")
    expect(page.get_by_text("The connection is lost")).to_be_visible()
    # The browser is closed and opened again before the connection is back.
    page.goto("about:blank")
    page.context.set_offline(False)
    desk.open()
    wait_for(lambda: desk.stored()["revision"] == 1, "what was said did not arrive")
    assert desk.stored()["annotation"] == {"labels": ["positive"]}


def test_of_two_tabs_the_second_is_asked(desk_for: Callable[..., Desk], page: Page) -> None:
    desk = desk_for("ner", "Anna lives in Graz.", "Bo too.")
    other = page.context.new_page()
    other.goto(f"{desk.url}?example={desk.stored()['id']}")
    expect(other.locator("[data-testid=text]")).to_have_text("Anna lives in Graz.")
    desk.press("ArrowRight", "1")
    desk.save()
    other.bring_to_front()
    for key in ("ArrowRight", "2", "Enter"):
        other.keyboard.press(key)
    expect(other.get_by_text("You have saved this example elsewhere")).to_be_visible()
    assert desk.stored()["annotation"]["spans"][0]["label"] == "PER"
    other.get_by_role("button", name="Save this one").click()
    wait_for(lambda: desk.stored()["revision"] == 2, "the choice was not stored")
    assert desk.stored()["annotation"]["spans"][0]["label"] == "LOC"


def test_skip_with_a_comment_and_come_back(desk_for: Callable[..., Desk], page: Page) -> None:
    desk = desk_for("sentiment", "Hm.", "Lovely.")
    desk.press("Shift+N")
    page.keyboard.type("Which tone?")
    desk.press("Escape", "Shift+S")
    expect(desk.text).to_have_text("Lovely.")
    stored = desk.stored()
    assert (stored["skipped"], stored["comment"]) == (True, "Which tone?")
    desk.press("Shift+H")
    page.locator("#history").get_by_role("button", name="Hm.").click()
    expect(desk.text).to_have_text("Hm.")
    expect(page.locator("#comment")).to_have_value("Which tone?")
    desk.press("1")
    wait_for(lambda: not desk.stored()["skipped"], "it is still skipped")
    assert desk.stored()["annotation"] == {"labels": ["positive"]}
