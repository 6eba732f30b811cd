"""The demo's sentences, annotations, schemas and frames fit together."""

from collections import Counter

import pytest

from app.demo import PROJECTS, DemoProject, DemoRow, read_rolesets, read_rows
from app.demo.content import NER, SENTIMENT
from app.tasks import get_task
from app.tasks.srl import base_role
from app.tasks.tokenize import tokenize

MINIMUM = {"sentiment": 160, "ner": 110, "srl": 60}
ROWS: dict[str, list[DemoRow]] = {p.task: list(read_rows(p)) for p in PROJECTS}
ROLESETS = {roleset["id"]: roleset for roleset in read_rolesets()}

every_project = pytest.mark.parametrize("project", PROJECTS, ids=lambda p: p.task)


def spans_of(row: DemoRow) -> list[tuple[int, int]]:
    """Every span an annotation mentions."""
    annotation = row["annotation"]
    items = list(annotation.get("spans", []))
    for predicate in annotation.get("predicates", []):
        items += [predicate, *predicate["arguments"]]
    return [(item["start"], item["end"]) for item in items]


def span_texts(task: str, text: str, language: str = "en") -> list[tuple[str, str]]:
    """(words, label) of the demo sentence with this text."""
    row = next(r for r in ROWS[task] if r["text"] == text)
    assert row["language"] == language
    return [(text[s["start"] : s["end"]], s["label"]) for s in row["annotation"]["spans"]]


def roles_of(text: str, sense: str) -> dict[str, str]:
    """Role → words of the predicate with this sense in the demo sentence with this text."""
    row = next(r for r in ROWS["srl"] if r["text"] == text)
    predicate = next(p for p in row["annotation"]["predicates"] if p["sense"] == sense)
    return {a["role"]: text[a["start"] : a["end"]] for a in predicate["arguments"]}


@every_project
def test_every_row_passes_the_checks_of_its_task(project: DemoProject) -> None:
    task = get_task(project.task)
    schema = task.parse_schema(project.schema)
    for row in ROWS[project.task]:
        inputs = task.parse_inputs({"text": row["text"], "tokens": row.get("tokens")})
        stored = task.validate(row["annotation"], inputs, schema)
        assert stored == row["annotation"], f"{row['external_id']} is not in canonical order"


@every_project
def test_there_are_enough_rows_in_both_languages(project: DemoProject) -> None:
    rows = ROWS[project.task]
    share = Counter(row["language"] for row in rows)["zh"] / len(rows)
    assert len(rows) >= MINIMUM[project.task]
    assert {row["language"] for row in rows} == {"en", "zh"}
    assert 0.35 <= share <= 0.45, f"{share:.0%} of the {project.task} rows are Chinese"


@every_project
def test_texts_and_ids_are_unique(project: DemoProject) -> None:
    rows = ROWS[project.task]
    assert len({row["text"] for row in rows}) == len(rows)
    ids = [row["external_id"] for row in rows]
    assert ids == [f"demo-{project.task}-{n:03}" for n in range(1, len(rows) + 1)]


@every_project
def test_languages_are_mixed_from_the_first_rows_on(project: DemoProject) -> None:
    rows = ROWS[project.task]
    for start in range(0, len(rows) - 9, 10):
        languages = {row["language"] for row in rows[start : start + 10]}
        assert languages == {"en", "zh"}, f"rows {start + 1} to {start + 10} hold {languages}"


@every_project
def test_spans_hold_words_and_lie_on_token_borders(project: DemoProject) -> None:
    for row in ROWS[project.task]:
        text = row["text"]
        assert text == text.strip()
        tokens = row.get("tokens") or tokenize(text)
        starts, ends = {t[0] for t in tokens}, {t[1] for t in tokens}
        for start, end in spans_of(row):
            words = text[start:end]
            assert words, row["external_id"]
            assert words == words.strip(" ,;:!?。，；：！？"), f"{row['external_id']}: {words!r}"
            assert start in starts, f"{row['external_id']}: {words!r} begins inside a token"
            assert end in ends, f"{row['external_id']}: {words!r} ends inside a token"


@every_project
def test_tokens_cover_everything_but_white_space(project: DemoProject) -> None:
    for row in ROWS[project.task]:
        tokens = row.get("tokens")
        if tokens is None:
            assert project.task != "srl", f"{row['external_id']} has no tokens"
            continue
        joined = "".join(row["text"][start:end] for start, end in tokens)
        assert joined == "".join(row["text"].split()), row["external_id"]


@pytest.mark.parametrize("project", [SENTIMENT, NER], ids=lambda p: p.task)
def test_every_label_of_a_classifier_or_tagger_is_used_in_both_languages(
    project: DemoProject,
) -> None:
    task = get_task(project.task)
    names = {label.name for label in task.labels(task.parse_schema(project.schema))}
    for language in ("en", "zh"):
        used = {
            name
            for row in ROWS[project.task]
            if row["language"] == language
            for name in task.label_names(task.parse_payload(row["annotation"]))
        }
        assert used == names


@every_project
def test_settings_are_complete(project: DemoProject) -> None:
    task = get_task(project.task)
    labels = task.labels(task.parse_schema(project.schema))
    assert project.name.strip()
    assert project.description.strip()
    assert all(label.description and label.hotkey for label in labels)
    english, _rule, chinese = project.guidelines.partition("\n---\n")
    assert len(english) > 1500
    assert len(chinese) > 600
    for label in labels:
        assert label.name.removeprefix("ARGM-") in english or label.name in {"ARG3", "ARG4"}


def test_every_sense_is_in_the_inventory_with_its_numbered_roles() -> None:
    for row in ROWS["srl"]:
        for predicate in row["annotation"]["predicates"]:
            roleset = ROLESETS[predicate["sense"]]
            listed = {role["role"] for role in roleset["roles"]}
            numbered = {
                role
                for argument in predicate["arguments"]
                if (role := base_role(argument["role"]))[3:].isdigit()
            }
            assert numbered <= listed, f"{row['external_id']}: {predicate['sense']}"


def test_no_numbered_role_is_given_twice_to_one_predicate() -> None:
    for row in ROWS["srl"]:
        for predicate in row["annotation"]["predicates"]:
            counts = Counter(a["role"] for a in predicate["arguments"] if a["role"][3:].isdigit())
            assert not [role for role, n in counts.items() if n > 1], row["external_id"]


def test_every_continuation_and_reference_has_something_to_refer_to() -> None:
    for row in ROWS["srl"]:
        for predicate in row["annotation"]["predicates"]:
            roles = {a["role"] for a in predicate["arguments"]} | {"V"}
            bases = {base_role(role) for role in roles}
            assert bases <= roles, f"{row['external_id']}: {sorted(bases - roles)} is missing"


def test_the_inventory_offers_a_choice_of_senses() -> None:
    per_lemma = Counter(roleset["lemma"] for roleset in ROLESETS.values())
    assert len(ROLESETS) == len(read_rolesets()), "two rolesets have the same id"
    for language in (str.isascii, lambda lemma: not lemma.isascii()):
        assert sum(n > 1 for lemma, n in per_lemma.items() if language(lemma)) >= 10
    for roleset in ROLESETS.values():
        assert roleset["id"].startswith(roleset["lemma"])
        assert roleset["name"]
        assert len({role["role"] for role in roleset["roles"]}) == len(roleset["roles"])


def test_semantic_roles_show_the_less_common_kinds() -> None:
    used = {
        argument["role"]
        for row in ROWS["srl"]
        for predicate in row["annotation"]["predicates"]
        for argument in predicate["arguments"]
    }
    assert {"C-V", "C-ARG1", "C-ARG0", "R-ARG0", "R-ARG1", "R-ARGM-LOC", "R-ARGM-TMP"} <= used
    assert any(len(row["annotation"]["predicates"]) > 1 for row in ROWS["srl"])


def test_entity_spans_read_as_they_were_meant() -> None:
    assert span_texts("ner", "Ines Calderon's second novel was printed in Porto in 1998.") == [
        ("Ines Calderon", "PER"),
        ("Porto", "LOC"),
        ("1998", "DATE"),
    ]
    assert span_texts("ner", "我买的云雀X3耳机用了两天就坏了。", "zh") == [("云雀X3", "PRODUCT")]


def test_role_spans_read_as_they_were_meant() -> None:
    assert roles_of("Could you turn the heating off before you leave?", "turn_off.07") == {
        "ARGM-MOD": "Could",
        "ARG0": "you",
        "ARG1": "the heating",
        "C-V": "off",
        "ARGM-TMP": "before you leave",
    }
    assert roles_of(
        "The engineer who designed the footbridge did not inspect the cables.", "design.01"
    ) == {"ARG0": "The engineer", "R-ARG0": "who", "ARG1": "the footbridge"}
    assert roles_of("因此，工厂把旧机器换成了节能设备。", "换成.01") == {
        "ARGM-DIS": "因此",
        "ARG0": "工厂",
        "ARG1": "旧机器",
        "ARG2": "节能设备",
    }
