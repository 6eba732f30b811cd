"""Rows as other tools write them: their labels are read, and what is not gold is none."""

import io
import json
from typing import Any

import pytest

from app.formats import ReadOptions, Record, preview
from tests.unit.formats.reading import entities, labels, problem, read_row, read_rows

TEXT = "Lea saw Rom."
LEA, ROM = ("Lea", "PER"), ("Rom", "LOC")


def label_studio(*results: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": 5, "data": {"text": TEXT}, "annotations": [{"result": list(results)}], **more}


def region(start: int, end: int, words: str, *names: str) -> dict[str, Any]:
    value = {"start": start, "end": end, "text": words, "labels": list(names)}
    return {"id": "r", "type": "labels", "from_name": "l", "to_name": "t", "value": value}


def choice(*names: str, **place: int) -> dict[str, Any]:
    return {"type": "choices", "value": {"choices": list(names), **place}}


class TestLabelStudio:
    def test_regions_are_entities_and_choices_are_labels(self) -> None:
        task = label_studio(region(0, 3, "Lea", "PER"), choice("calm"))
        assert entities(read_row("ner", task)) == [LEA]
        assert labels(read_row("sentiment", task)) == ["calm"]
        assert read_row("ner", task).unused == ("annotations.result: choices",)

    def test_its_offsets_are_utf16_units(self) -> None:
        task = label_studio(region(0, 2, "😀", "X"), region(3, 6, "Lea", "PER"))
        task["data"]["text"] = "😀 Lea"
        assert entities(read_row("ner", task)) == [("😀", "X"), LEA]

    def test_its_words_say_a_line_break_as_two_characters(self) -> None:
        task = label_studio(region(0, 6, "Lea\\nBo", "PER"))
        task["data"]["text"] = "Lea\nBo ran"
        item = read_row("ner", task)
        assert item.annotation == {"spans": [{"start": 0, "end": 6, "label": "PER"}]}

    def test_a_region_with_two_labels_is_two_entities(self) -> None:
        task = label_studio(region(0, 3, "Lea", "PER", "Name"))
        assert entities(read_row("ner", task)) == [LEA, ("Lea", "Name")]

    def test_an_empty_result_says_that_there_is_nothing(self) -> None:
        assert entities(read_row("ner", label_studio())) == []
        assert entities(read_row("ner", label_studio(choice("calm")))) is None

    def test_skipped_and_predicted_ones_are_no_gold(self) -> None:
        task = label_studio(region(0, 3, "Lea", "PER"), predictions=[{"result": []}])
        task["annotations"][0]["was_cancelled"] = True
        item = read_row("ner", task)
        assert item.annotation is None
        assert item.unused == ("predictions", "annotations that were skipped")

    def test_of_several_annotations_the_ground_truth_is_read_and_the_others_are_named(self) -> None:
        task = label_studio(region(0, 3, "Lea", "PER"))
        truth = {"result": [region(8, 11, "Rom", "LOC")], "ground_truth": True}
        task["annotations"].append(truth)
        item = read_row("ner", task)
        assert entities(item) == [ROM]
        assert item.unused == ("annotations of other people",)

    def test_the_text_may_have_any_name_and_the_rest_is_kept(self) -> None:
        task = label_studio(region(0, 3, "Lea", "PER"), created_at="2024")
        task["data"] = {"ticket": TEXT, "n": 3}
        item = read_row("ner", task)
        assert item.text == TEXT
        assert item.external_id == "5"
        assert item.meta == {"created_at": "2024", "n": 3}

    def test_a_choice_for_a_part_of_the_text_is_no_label_of_the_whole(self) -> None:
        item = read_row("sentiment", label_studio(choice("calm", start=0, end=3)))
        assert item.annotation is None
        assert item.unused == ("annotations.result: choices of spans",)

    @pytest.mark.parametrize("control", ["label", "ner", "my spans"])
    def test_the_short_export_is_read_whatever_the_control_is_called(self, control: str) -> None:
        value = [{"start": 0, "end": 3, "text": "Lea", "labels": ["PER"]}]
        row = {"id": 1, "text": TEXT, control: value, "annotator": 1, "annotation_id": 7}
        item = read_row("ner", row)
        assert entities(item) == [LEA]
        assert item.meta == {"annotator": 1, "annotation_id": 7}

    def test_choices_of_the_short_export(self) -> None:
        row = {"id": 1, "text": TEXT, "mood": "calm", "annotator": 1, "annotation_id": 7}
        assert labels(read_row("sentiment", row)) == ["calm"]
        row["mood"] = {"choices": ["calm", "sad"]}
        assert labels(read_row("sentiment", row)) == ["calm", "sad"]
        assert labels(read_row("sentiment", {"text": TEXT, "label": row["mood"]})) == [
            "calm",
            "sad",
        ]


class TestProdigy:
    TASK: dict[str, Any] = {  # noqa: RUF012
        "text": TEXT,
        "tokens": [
            {"text": "Lea", "start": 0, "end": 3, "id": 0},
            {"text": "saw", "start": 4, "end": 7, "id": 1},
        ],
        "spans": [{"start": 0, "end": 3, "token_start": 0, "token_end": 0, "label": "PER"}],
        "_task_hash": -3,
        "answer": "accept",
    }

    def test_accepted_spans_are_read_with_the_tokens(self) -> None:
        item = read_row("ner", self.TASK)
        assert entities(item) == [LEA]
        assert item.tokens == ((0, 3), (4, 7))
        assert item.unused == ()

    @pytest.mark.parametrize("answer", ["reject", "ignore"])
    @pytest.mark.parametrize("task", ["ner", "sentiment"])
    def test_other_answers_are_no_gold(self, answer: str, task: str) -> None:
        item = read_row(task, {**self.TASK, "label": "calm", "answer": answer})
        assert item.text == TEXT
        assert item.annotation is None
        assert item.unused == (f"spans ({answer})", f"label ({answer})")

    def test_texts_are_classified_by_choice_or_by_one_label(self) -> None:
        options = [{"id": "calm", "text": "Calm"}, {"id": "sad", "text": "Sad"}]
        chosen = {"text": TEXT, "options": options, "accept": ["sad"], "answer": "accept"}
        assert labels(read_row("sentiment", chosen)) == ["sad"]
        single = {"text": TEXT, "label": "calm", "answer": "accept"}
        assert labels(read_row("sentiment", single)) == ["calm"]


class TestDoccano:
    @pytest.mark.parametrize(
        "said",
        [
            {"label": [[0, 3, "PER"]]},
            {"entities": [{"id": 1, "start_offset": 0, "end_offset": 3, "label": "PER"}]},
            {"annotations": [{"label": "PER", "start_offset": 0, "end_offset": 3, "user": 1}]},
            {"entities": [[0, 3, "PER"]], "cats": ["calm"]},
        ],
    )
    def test_entities_of_its_versions(self, said: dict[str, Any]) -> None:
        assert entities(read_row("ner", {"id": 1, "text": TEXT, **said})) == [LEA]

    @pytest.mark.parametrize(
        "said",
        [
            {"label": ["calm"]},
            {"annotations": [{"label": "calm", "user": 1}]},
            {"entities": [[0, 3, "PER"]], "cats": ["calm"]},
        ],
    )
    def test_labels_of_its_versions(self, said: dict[str, Any]) -> None:
        assert labels(read_row("sentiment", {"id": 1, "text": TEXT, **said})) == ["calm"]

    def test_relations_are_kept_beside(self) -> None:
        said = {"entities": [{"id": 1, "start_offset": 0, "end_offset": 3, "label": "PER"}]}
        item = read_row("ner", {"text": TEXT, **said, "relations": [{"from_id": 1, "to_id": 1}]})
        assert item.meta == {"relations": [{"from_id": 1, "to_id": 1}]}
        assert item.unused == ("entities.id",)

    def test_numbers_of_old_labels_can_be_named(self) -> None:
        row = {"text": TEXT, "annotations": [{"label": 4, "start_offset": 0, "end_offset": 3}]}
        assert entities(read_row("ner", row, label_map={"4": "PER"})) == [LEA]

    def test_an_empty_list_of_old_annotations_says_that_nobody_looked(self) -> None:
        assert read_row("ner", {"text": TEXT, "annotations": []}).annotation is None


def test_lighttag() -> None:
    row = {
        "content": TEXT,
        "metadata": {"page": 2},
        "annotations": [{"start": 8, "end": 11, "tag": "LOC", "value": "Rom", "tag_id": "t"}],
        "classifications": [{"classname": "calm"}],
    }
    item = read_row("ner", row)
    assert entities(item) == [ROM]
    assert item.meta == {"page": 2, "classifications": [{"classname": "calm"}]}
    assert labels(read_row("sentiment", row)) == ["calm"]


def test_spacy_pairs() -> None:
    pair = [TEXT, {"entities": [[8, 11, "LOC"]], "cats": {"calm": 1.0, "sad": 0.0}}]
    assert entities(read_row("ner", pair)) == [ROM]
    assert labels(read_row("sentiment", pair)) == ["calm"]
    unsure = [TEXT, {"cats": {"calm": 0.6, "sad": 0.4}}]
    assert "does not say plainly" in problem("sentiment", unsure)


def test_allennlp_tags_are_predicates() -> None:
    verb = {"verb": "saw", "tags": ["B-A0", "B-V", "B-ARG1", "O"]}
    item = read_row("srl", {"words": ["Lea", "saw", "Rom", "."], "verbs": [verb]})
    assert item.text == "Lea saw Rom ."
    assert item.annotation == {
        "predicates": [
            {
                "start": 4,
                "end": 7,
                "sense": None,
                "arguments": [
                    {"start": 0, "end": 3, "role": "ARG0"},
                    {"start": 8, "end": 11, "role": "ARG1"},
                ],
            }
        ]
    }
    short = {"words": ["Lea", "saw"], "verbs": [{"tags": ["B-V"]}]}
    assert "a tag for each word" in problem("srl", short)


# -- words and tags ----------------------------------------------------------------------------------


def test_words_and_tags_are_joined_or_found_in_the_text() -> None:
    tagged = {"tokens": ["Lea", "saw", "Rom", "."], "ner_tags": ["B-PER", "O", "B-LOC", "O"]}
    joined = read_row("ner", tagged)
    assert joined.text == "Lea saw Rom ."
    assert entities(joined) == [LEA, ROM]
    placed = read_row("ner", {**tagged, "text": TEXT})
    assert placed.text == TEXT
    assert entities(placed) == [LEA, ROM]
    assert placed.tokens == ((0, 3), (4, 7), (8, 11), (11, 12))
    assert "do not stand" in problem("ner", {**tagged, "text": "Other words"})


def test_numbers_without_names_are_labels_and_are_named_by_label_map() -> None:
    tagged = {"tokens": ["Lea", "saw", "New", "Rom"], "ner_tags": [1, 0, 2, 2]}
    item = read_row("ner", tagged)
    assert entities(item) == [("Lea", "1"), ("New Rom", "2")]
    assert "taken for a label" in item.unused[0]
    named = read_row("ner", tagged, label_map={"1": "B-PER", "2": "I-LOC"})
    assert entities(named) == [LEA, ("New Rom", "LOC")]
    assert named.unused == ()


def test_tags_of_words_are_no_labels_of_the_text() -> None:
    row = {"tokens": ["Lea"], "ner_tags": ["B-PER"], "label": "calm"}
    assert labels(read_row("sentiment", row)) == ["calm"]
    item = read_row("sentiment", {"tokens": ["Lea"], "ner_tags": [1]})
    assert item.annotation is None
    assert item.meta == {"ner_tags": [1]}


# -- spans ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "span",
    [
        {"start": 8, "end": 11, "label": "LOC"},
        {"start": 8.0, "end": 11.0, "label": " LOC "},
        {"start_idx": 8, "end_idx": 10, "type": "LOC", "entity": "Rom"},
        {"entity_index": {"begin": 8, "end": 11}, "entity_type": "LOC", "entity": "Rom"},
        {"label": ["LOC"], "points": [{"start": 8, "end": 10, "text": "Rom"}]},
        {"name": "Rom", "type": "LOC", "pos": [8, 11]},
        {"entity_group": "LOC", "word": "Rom", "start": 8, "end": 11},
    ],
)
def test_spans_of_many_kinds_stand_at_their_words(span: dict[str, Any]) -> None:
    for column in ("spans", "entities", "entity_list"):
        assert entities(read_row("ner", {"text": TEXT, column: [span]})) == [ROM]


def test_the_words_of_one_span_tell_what_all_numbers_of_the_row_count() -> None:
    spans = [
        {"start": 0, "end": 2, "label": "PER"},
        {"start": 8, "end": 10, "label": "LOC", "text": "Rom"},
    ]
    assert entities(read_row("ner", {"text": TEXT, "spans": spans})) == [LEA, ROM]
    spans.append({"start": 8, "end": 11, "label": "LOC", "text": "Rom"})
    assert "but the file says" in problem("ner", {"text": TEXT, "spans": spans})


@pytest.mark.parametrize(("start", "end"), [(-3, 3), (3, 300), (3, 3), (5, 2)])
def test_a_span_outside_the_text_is_a_wrong_row(start: int, end: int) -> None:
    span = {"start": start, "end": end, "label": "PER"}
    assert "does not lie in the text" in problem("ner", {"text": TEXT, "spans": [span]})


@pytest.mark.parametrize(
    "predicates", [["saw"], [{"start": 4}], [{"start": 4, "end": 99}], [None], "saw", 3]
)
def test_predicates_in_no_known_form_are_a_wrong_row(predicates: Any) -> None:
    assert problem("srl", {"text": TEXT, "predicates": predicates})


def test_numbers_of_words_are_read_where_the_words_prove_them() -> None:
    row = {"tokens": ["Lea", "saw", "New", "Rom"]}
    for end in (3, 4):
        span = {"start": 2, "end": end, "type": "LOC", "text": "New Rom"}
        assert entities(read_row("ner", {**row, "entities": [span]})) == [("New Rom", "LOC")]
    said = problem("ner", {**row, "entities": [{"start": 2, "end": 4, "type": "LOC"}]})
    assert "nobody knows" in said
    assert "nobody knows" in problem("srl", {**row, "predicates": [{"start": 1, "end": 2}]})


# -- conversations -------------------------------------------------------------------------------------


def test_a_conversation_in_parts_and_with_a_system_turn() -> None:
    parts = [{"type": "text", "text": "I like it"}]
    turns = [
        {"role": "system", "content": "Classify."},
        {"role": "user", "content": parts},
        {"role": "assistant", "content": "calm"},
    ]
    item = read_row("sentiment", {"id": 3, "messages": turns, "source": "mail"})
    assert (item.text, labels(item), item.external_id) == ("I like it", ["calm"], "3")
    assert item.meta == {"system": "Classify.", "source": "mail"}
    turns[1]["content"] = [{"type": "image_url", "image_url": {"url": "u"}}]
    assert "more than words" in problem("sentiment", {"messages": turns})


@pytest.mark.parametrize("extra", ["human", "gpt", "function_call"])
def test_a_conversation_that_goes_on_is_refused(extra: str) -> None:
    turns = [{"from": who, "value": "calm"} for who in ("human", "gpt", extra)]
    assert "3 turns" in problem("sentiment", {"conversations": turns})


@pytest.mark.parametrize(
    ("row", "text", "meta"),
    [
        ({"instruction": "Label: fine", "input": "", "output": "calm"}, "Label: fine", {}),
        ({"instruction": "Label: fine", "output": "calm"}, "Label: fine", {}),
        (
            {"instruction": "Label", "input": "fine", "output": "calm"},
            "fine",
            {"instruction": "Label"},
        ),
        ({"prompt": "fine", "completion": "calm"}, "fine", {}),
    ],
)
def test_instructions_and_prompts(row: Any, text: str, meta: dict[str, Any]) -> None:
    item = read_row("sentiment", row)
    assert (item.text, labels(item), item.meta) == (text, ["calm"], meta)


def test_shapes_may_follow_each_other_in_a_file() -> None:
    items = read_rows(
        "ner", {"text": TEXT, "spans": []}, [TEXT, {"entities": [[0, 3, "PER"]]}], label_studio()
    )
    assert [isinstance(item, Record) for item in items] == [True] * 3
    assert [entities(item) for item in items] == [[], [LEA], []]


# -- what numbers count ---------------------------------------------------------------------------

WAVE = "👋 Ada met Bo."


def test_numbers_of_label_studio_are_utf_16_also_without_the_words() -> None:
    value = {"start": 3, "end": 6, "labels": ["PER"]}
    task = {
        "data": {"text": WAVE},
        "annotations": [{"result": [{"type": "labels", "value": value}]}],
    }
    assert entities(read_row("ner", task)) == [("Ada", "PER")]
    short = {"text": WAVE, "label": [value], "annotator": 1, "annotation_id": 7}
    assert entities(read_row("ner", short)) == [("Ada", "PER")]
    # Others count code points, and the words have the last say.
    assert entities(
        read_row("ner", {"text": WAVE, "spans": [{**value, "start": 2, "end": 5}]})
    ) == [("Ada", "PER")]
    named = {"start": 2, "end": 5, "labels": ["PER"], "text": "Ada"}
    assert entities(read_row("ner", short | {"label": [named]})) == [("Ada", "PER")]


@pytest.mark.parametrize(
    ("options", "start", "end"),
    [
        ({}, 2, 5),
        ({"span_end": "inclusive"}, 2, 4),
        ({"offsets": "utf16"}, 3, 6),
        ({"offsets": "utf16", "span_end": "inclusive"}, 3, 5),
        ({"offsets": "bytes"}, 5, 8),
        ({"offsets": "bytes", "span_end": "inclusive"}, 5, 7),
    ],
)
def test_what_numbers_count_can_be_said_and_is_checked(
    options: dict[str, str], start: int, end: int
) -> None:
    row = {"text": WAVE, "spans": [[start, end, "PER"]]}
    assert entities(read_row("ner", row, **options)) == [("Ada", "PER")]
    said = {"text": WAVE, "spans": [{"start": start, "end": end, "label": "PER", "text": "Ada"}]}
    assert entities(read_row("ner", said)) == [("Ada", "PER")]
    assert entities(read_row("ner", said, **options)) == [("Ada", "PER")]
    wrong = {"offsets": "characters", "span_end": "exclusive"}
    if options:
        assert "but the file says “Ada”" in problem("ner", said, **wrong)


def test_a_byte_within_a_character_is_no_place() -> None:
    row = {"text": WAVE, "spans": [[2, 8, "PER"]]}
    assert "does not lie in the text" in problem("ner", row, offsets="bytes")


def test_two_controls_of_label_studio_are_a_guess_that_says_so() -> None:
    row = {"text": "Fine.", "mood": "glad", "theme": "film", "annotator": 1, "annotation_id": 7}
    item = read_row("sentiment", row)
    assert labels(item) == ["glad"]
    assert item.unused == ("“theme” as the label: “mood” was taken, which is a guess",)
    named = {**row, "category": {"choices": ["short"]}, "mood": {"choices": ["glad"]}}
    assert labels(read_row("sentiment", named)) == ["short"]
    assert labels(read_row("sentiment", named, columns={"label": "mood"})) == ["glad"]
    shown = preview(io.BytesIO(json.dumps([row]).encode()), "json", "sentiment", ReadOptions())
    assert shown.mapping["label"] == "mood"
    assert {"mood", "theme"} <= set(shown.columns)


# -- Argilla, GLiNER, Rasa ------------------------------------------------------------------------


def test_records_of_argilla_1() -> None:
    row = {
        "text": "Ada met Bo.",
        "tokens": ["Ada", "met", "Bo", "."],
        "annotation": [["PER", 0, 3]],
        "prediction": [["LOC", 0, 3, 0.4]],
        "status": "Validated",
        "id": "x",
    }
    item = read_row("ner", row)
    assert (entities(item), item.unused, item.external_id) == (
        [("Ada", "PER")],
        ("prediction",),
        "x",
    )
    text = {"text": "Fine.", "inputs": {"text": "Fine."}, "annotation": "good", "prediction": None}
    assert labels(read_row("sentiment", text | {"status": "Validated"})) == ["good"]
    assert labels(read_row("sentiment", text | {"status": "Discarded"})) is None


def argilla(**answers: list[dict[str, Any]]) -> dict[str, Any]:
    fields = {"text": "Ada met Bo."}
    return {
        "id": "r",
        "status": "completed",
        "fields": fields,
        "responses": answers,
        "metadata": {},
    }


def answer(value: Any, status: str = "submitted") -> dict[str, Any]:
    return {"value": value, "user_id": "u", "status": status}


def test_records_of_argilla_2() -> None:
    span = {"start": 0, "end": 3, "label": "PER"}
    row = argilla(mood=[answer("calm", "draft"), answer("glad")], names=[answer([span])])
    item = read_row("sentiment", row)
    assert (item.text, labels(item), item.external_id) == ("Ada met Bo.", ["glad"], "r")
    assert item.unused == ("answers that were not submitted",)
    assert item.meta == {"names": [span]}
    assert entities(read_row("ner", row)) == [("Ada", "PER")]
    two = argilla(mood=[answer("glad")], theme=[answer("film"), answer("book")])
    assert read_row("sentiment", two).unused == (
        "“theme” as the label: “mood” was taken, which is a guess",
    )
    chosen = read_row("sentiment", two, columns={"label": "theme"})
    assert (labels(chosen), chosen.unused) == (["film"], ("annotations of other people",))
    hub = {
        "id": "r",
        "status": "completed",
        "text": "Fine.",
        "label.responses": ["good"],
        "label.responses.users": ["u"],
        "label.responses.status": ["submitted"],
    }
    assert labels(read_row("sentiment", hub)) == ["good"]
    assert labels(read_row("sentiment", hub | {"label.responses.status": ["draft"]})) is None


def test_two_controls_of_one_kind_in_label_studio_are_not_mixed() -> None:
    results = [
        choice("glad") | {"from_name": "mood"},
        choice("film") | {"from_name": "theme"},
    ]
    item = read_row("sentiment", label_studio(*results))
    assert labels(item) == ["glad"]
    assert item.unused == ("“theme” as the label: “mood” was taken, which is a guess",)
    chosen = read_row("sentiment", label_studio(*results), columns={"label": "theme"})
    assert (labels(chosen), chosen.unused) == (["film"], ())


def test_sentences_of_gliner() -> None:
    row = {
        "tokenized_text": ["Ada", "Byron", "met", "Bo"],
        "ner": [[0, 1, "person"], [3, 3, "person"]],
    }
    item = read_row("ner", row)
    assert entities(item) == [("Ada Byron", "person"), ("Bo", "person")]
    assert item.tokens == ((0, 3), (4, 9), (10, 13), (14, 16))
    assert "not in the sentence" in problem("ner", row | {"ner": [[3, 4, "person"]]})


def test_named_groups_of_spans() -> None:
    spans = {"sc": [{"start": 0, "end": 3, "label": "PER"}]}
    assert entities(read_row("ner", {"text": TEXT, "spans": spans})) == [LEA]
