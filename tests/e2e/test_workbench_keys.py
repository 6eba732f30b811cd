"""Keys and the pointer on every keyboard: what is pressed once is done once, and nothing else is done."""

import pytest
from playwright.sync_api import expect

from tests.e2e.workplace import Workplace, application, gold_of, statuses, workplace

__all__ = ["application", "workplace"]
pytestmark = pytest.mark.e2e
TEXTS = [f"Number {n} is fine." for n in range(6)]
LETTERS = {
    "mode": "flat",
    "labels": [
        {"name": "PER", "hotkey": "1"},
        {"name": "LOC", "hotkey": "s"},
        {"name": "ORG", "hotkey": "6"},
    ],
}


@pytest.mark.parametrize(
    ("task", "key", "status"),
    [("sentiment", "1", "labelled"), ("ner", "Enter", "labelled"), ("ner", "Shift+S", "skipped")],
)
def test_a_key_that_is_held_acts_once(
    workplace: Workplace, task: str, key: str, status: str
) -> None:
    project = workplace.project(task, TEXTS)
    bench = workplace.label(workplace.ada, project)
    expect(bench.text).to_have_text(TEXTS[0])
    bench.hold(key)
    expect(bench.text).to_have_text(TEXTS[1])
    assert statuses(project) == [status] + ["open"] * 5


def test_a_button_that_enter_holds_down_is_pressed_once(workplace: Workplace) -> None:
    project = workplace.project("ner", TEXTS)
    bench = workplace.label(workplace.ada, project)
    expect(bench.text).to_have_text(TEXTS[0])
    bench.page.locator("[data-do=save]").focus()
    bench.hold("Enter")
    expect(bench.text).to_have_text(TEXTS[1])
    bench.page.locator("[data-do=skip]").dblclick()
    expect(bench.text).to_have_text(TEXTS[2])
    bench.settled()
    assert statuses(project)[:3] == ["labelled", "skipped", "open"]


def test_keys_of_other_layouts_label_and_command(workplace: Workplace) -> None:
    project = workplace.project(
        "ner", ["Ada Bo Cai Dee Eve Fay Gil Hal", *TEXTS], label_schema=LETTERS
    )
    bench = workplace.label(workplace.ada, project)
    expect(bench.text).to_contain_text("Ada")
    presses: list[tuple[str, str, dict[str, bool]]] = [
        ("&", "Digit1", {}),  # AZERTY, without Shift
        ("1", "Digit1", {"shiftKey": True}),  # AZERTY, with Shift
        ("-", "Digit6", {}),
        ("ы", "KeyS", {}),  # a Cyrillic layout
        ("σ", "KeyS", {}),  # a Greek one
        ("S", "KeyS", {"modifierCapsLock": True}),  # Caps Lock
        ("Process", "KeyS", {}),  # an input method that is switched on
        ("１", "Digit1", {}),  # a full-width digit
    ]
    for number, (key, code, modifiers) in enumerate(presses, 1):
        bench.press("ArrowRight")
        bench.key(key, code, **modifiers)
        expect(bench.page.locator("#entities li")).to_have_count(number)
    labels = bench.words("#entities .chip")
    assert labels == ["PER", "PER", "ORG", "LOC", "LOC", "LOC", "LOC", "PER"]
    # [ by AltGr and by Option picks; 1 with an input method composing does nothing; a Latin letter is itself.
    bench.key("[", "Digit5", modifierAltGraph=True, ctrlKey=True, altKey=True)
    expect(bench.page.locator("#entities [aria-current]")).to_have_count(1)
    bench.key("1", "Digit1", isComposing=True)
    bench.key("q", "KeyS")
    assert bench.words("#entities .chip") == labels
    bench.key("Я", "KeyZ", ctrlKey=True)
    expect(bench.page.locator("#entities li")).to_have_count(7)
    # Shift with a letter is a command on each of them; Caps Lock alone makes none.
    bench.key("Ы", "KeyS", shiftKey=True)
    expect(bench.text).to_have_text(TEXTS[0])
    bench.key("s", "KeyS", shiftKey=True, modifierCapsLock=True)
    expect(bench.text).to_have_text(TEXTS[1])
    assert bench.errors == []


def test_a_drag_over_the_edge_selects_up_to_it(workplace: Workplace) -> None:
    project = workplace.project("ner", ["See the old River Bank"])
    bench = workplace.label(workplace.ada, project)
    expect(bench.text).to_have_text("See the old River Bank")
    box = bench.text.bounding_box()
    assert box
    x, y = bench.middle("River")
    bench.drag((x, y), (box["x"] + box["width"] + 30, y))
    bench.press("1")
    assert bench.words() == ["River Bank"]
    bench.press("Control+z")
    bench.drag((box["x"] - 12, bench.middle("See")[1]), bench.middle("the"))
    bench.press("1")
    assert bench.words() == ["See the"]


def test_selections_are_trimmed_and_blanks_alone_refused(workplace: Workplace) -> None:
    project = workplace.project("ner", ["Ada     Bo"])
    bench = workplace.label(workplace.ada, project)
    expect(bench.text).to_have_text("Ada     Bo")
    left, right = bench.middle("Ada"), bench.middle("Bo")
    bench.page.keyboard.down("Alt")
    bench.drag((left[0] + 20, left[1]), (right[0] - 16, right[1]))
    bench.page.keyboard.up("Alt")
    expect(bench.said).to_have_text("There are only blanks in this selection.")
    bench.page.keyboard.down("Alt")
    bench.drag((left[0] - 30, left[1]), (right[0] - 16, right[1]))
    bench.page.keyboard.up("Alt")
    bench.press("1", "Enter")
    assert gold_of(project, "Ada     Bo") == {"spans": [{"start": 0, "end": 3, "label": "PER"}]}


def test_a_word_inside_an_argument_becomes_a_predicate(workplace: Workplace) -> None:
    project = workplace.project("srl", ["Mei said Bo left early"])
    bench = workplace.label(workplace.ada, project)
    expect(bench.text).to_contain_text("Mei")
    bench.page.mouse.click(*bench.middle("said"))
    bench.press("Shift+P")
    bench.drag(bench.middle("Bo"), bench.middle("early"))
    bench.press("1")
    bench.page.mouse.click(*bench.middle("left"))
    bench.page.get_by_role("button", name="Mark as predicate").click()
    assert bench.words("#predicates strong") == ["said", "left"]
    assert bench.errors == []


def test_a_role_that_takes_the_place_of_another_says_so(workplace: Workplace) -> None:
    project = workplace.project("srl", ["Mei gave Bo the book"])
    bench = workplace.label(workplace.ada, project)
    bench.page.mouse.click(*bench.middle("gave"))
    bench.press("Shift+P")
    bench.drag(bench.middle("Bo"), bench.middle("book"))
    bench.press("1")
    assert bench.words("#arguments .item-words") == ["Bo the book"]
    bench.drag(bench.middle("the"), bench.middle("book"))
    bench.press("2")
    expect(bench.said).to_contain_text("instead of “Bo the book")
    bench.press("Control+z")
    assert bench.words("#arguments .item-words") == ["Bo the book"]
