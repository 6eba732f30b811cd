"""Spans inside and across one another: put in layers, learned, and found again in all of them."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.worker.engine.conftest import (
    CPU,
    PieceByPiece,
    Row,
    encoder,
    runner,
    table,
    write_job,
)
from tests.worker.engine.test_training import ner, split
from worker.engine.batches import collate
from worker.engine.finetune import fine_tune
from worker.engine.heads import TaskModel
from worker.engine.job import Item
from worker.engine.predict import Predictor
from worker.engine.windows import IGNORED
from worker.recipes.spans import MOST_LAYERS, Spans
from worker.recipes.tagging import Span, layers_of

SCHEMA: dict[str, Any] = {"mode": "nested", "labels": [{"name": "ORG"}, {"name": "LOC"}]}
PLACES = ("Rome", "上海", "Oslo")


def spans_in(text: str, *wanted: tuple[str, str]) -> dict[str, Any]:
    """The annotation with each of the words, once, in a text."""
    places = [(text.index(words), words, label) for words, label in wanted]
    return {
        "spans": [
            {"start": start, "end": start + len(words), "label": label}
            for start, words, label in sorted(places, key=lambda p: (p[0], -len(p[1])))
        ]
    }


def item(text: str, *wanted: tuple[str, str]) -> Item:
    return Item(text, Item.of(text).tokens, spans_in(text, *wanted))


def prepared(mode: str, *items: Item) -> Spans:
    return Spans.prepare(SCHEMA | {"mode": mode}, {"train": items, "validation": [], "test": []})


def banks() -> list[Row]:
    """Organisations with a place in their name, and places alone."""
    rows: list[Row] = []
    for n in range(60):
        place = PLACES[n % 3]
        if n % 2:
            text = f"the Bank of {place} said {n}"
            rows.append((text, spans_in(text, (f"Bank of {place}", "ORG"), (place, "LOC"))))
        else:
            text = f"he left {place} on {n}"
            rows.append((text, spans_in(text, (place, "LOC"))))
    return rows


@given(places=st.lists(st.tuples(st.integers(0, 19), st.integers(1, 8)), max_size=12, unique=True))
def test_spans_of_a_layer_never_touch_and_none_is_deeper_than_it_must_be(
    places: list[tuple[int, int]],
) -> None:
    tokens = [(i, i + 1) for i in range(30)]
    spans: list[Span] = [(start, start + length, "X") for start, length in places]
    layers: dict[int, list[range]] = {}
    seen = []
    for span, words, layer in layers_of(tokens, spans):
        assert words == range(span[0], span[1])
        for n in range(layer):
            assert any(set(words) & set(other) for other in layers[n])
        assert not any(set(words) & set(other) for other in layers.get(layer, []))
        layers.setdefault(layer, []).append(words)
        seen.append(span)
    assert sorted(seen) == sorted(spans)


@pytest.mark.parametrize(
    ("mode", "wanted", "layers"),
    [
        ("flat", [("Bank of Rome", "ORG"), ("Rome", "LOC")], 1),
        ("nested", [("Bank", "ORG"), ("Rome", "LOC")], 1),
        ("nested", [("Bank of Rome", "ORG"), ("Rome", "LOC")], 2),
        ("overlapping", [("the Bank of", "ORG"), ("Bank of Rome", "ORG"), ("of Rome", "LOC")], 3),
        ("overlapping", [("Rome", "ORG"), ("Rome", "LOC")], 2),
    ],
)
def test_the_layers_are_as_many_as_the_training_data_fills(
    mode: str, wanted: list[tuple[str, str]], layers: int
) -> None:
    recipe = prepared(mode, item("the Bank of Rome said", *wanted))
    assert recipe.layers == layers
    assert len(recipe.labels) == len(set(recipe.labels)) == layers * 5
    assert recipe.labels[:5] == ["O", "B-ORG", "I-ORG", "B-LOC", "I-LOC"]
    again = Spans.restore(recipe.schema, recipe.labels, recipe.state())
    assert (again.layers, again.tags.tags) == (layers, recipe.labels[:5])


def test_a_flat_model_says_nothing_of_layers_in_its_card() -> None:
    assert prepared("flat", item("in Rome", ("Rome", "LOC"))).state() == {}


def test_what_lies_deeper_than_the_layers_is_counted_and_told(words: Callable[[str], Any]) -> None:
    text = "one two three four five six seven"
    deep = item(text, *((" ".join(text.split()[:n]), "ORG") for n in range(1, 8)))
    recipe = prepared("nested", deep)
    assert recipe.layers == MOST_LAYERS
    enc = encoder(words(text))
    encoded = recipe.encode([deep], enc)
    assert encoded.counts == Counter(spans=7, nested=7 - MOST_LAYERS, unaligned=0, windowed=0)
    run = runner(PieceByPiece(torch.zeros(len(enc.tokenizer), len(recipe.labels))))
    scheme = recipe.evaluate([deep], encoded, run).report.scheme
    assert "The model learns 4 layers: 3 of 7 gold spans lie deeper" in scheme


def test_layers_of_a_long_text_leave_out_the_same_cut_words(words: Callable[[str], Any]) -> None:
    text = "one two three four five six seven eight nine ten eleven twelve"
    whole = item(text, (text, "ORG"), ("six seven eight", "LOC"))
    encoded = prepared("nested", whole).encode([whole], encoder(words(text), 10))
    assert len(encoded.windows) > 1
    for window in encoded.windows[1:]:
        assert window.targets == [IGNORED] * len(window.words)
        assert window.inner == [window.targets]
        assert window.weight == 0
    first = encoded.windows[0]
    assert first.targets == [1] + [2] * 7
    assert first.inner == [[0] * 5 + [3, 4, 4]]
    assert first.weight == 16


@pytest.mark.parametrize("head", ["softmax", "crf"])
def test_the_loss_is_that_of_each_layer_summed(words: Callable[[str], Any], head: str) -> None:
    items = [
        item("the Bank of Rome said", ("Bank of Rome", "ORG"), ("Rome", "LOC")),
        item("in Rome", ("Rome", "LOC")),
    ]
    recipe = prepared("nested", *items)
    enc = encoder(words(" ".join(i.text for i in items)))
    windows = recipe.encode(items, enc).windows
    network = PieceByPiece(torch.randn(len(enc.tokenizer), 10, generator=torch.manual_seed(0)))
    crf = recipe.crf() if head == "crf" else None
    if crf is not None:
        torch.nn.init.normal_(crf.transitions)
    model = TaskModel(network, crf=crf)
    batch = collate(windows, pad=0, device=CPU.torch)
    logits = model.logits(batch)
    whole = model.loss(logits, batch)
    parts = []
    for layer in range(2):
        for window in windows:
            window.targets, window.inner = [window.targets or [], *window.inner][layer], []
        alone = collate(windows, pad=0, device=CPU.torch)
        parts.append(model.loss(logits[..., layer * 5 : layer * 5 + 5], alone))
        windows = recipe.encode(items, enc).windows
    assert whole.item() == pytest.approx(sum(parts).item(), rel=1e-5)
    assert parts[0].item() != pytest.approx(parts[1].item(), rel=1e-2)


@pytest.mark.parametrize(
    ("mode", "found"),
    [
        ("nested", [(0, 11, "ORG"), (4, 11, "LOC")]),
        ("overlapping", [(0, 11, "ORG"), (4, 15, "LOC"), (4, 11, "LOC")]),
    ],
)
def test_what_the_layers_say_together_is_what_the_schema_allows(
    words: Callable[[str], Any], mode: str, found: list[tuple[int, int, str]]
) -> None:
    """The second layer has a span in the first one's; the third one that crosses it, and a double."""
    text = "one two six ten"
    tags = ["O", "B-ORG", "I-ORG", "B-LOC", "I-LOC"]
    tokenizer = words(text)
    says: list[dict[str, str]] = [
        {"one": "B-ORG", "two": "I-ORG", "six": "I-ORG"},
        {"two": "B-LOC", "six": "I-LOC"},
        {"two": "B-LOC", "six": "I-LOC", "ten": "I-LOC"},
        {"one": "B-ORG", "two": "I-ORG", "six": "I-ORG"},
    ]
    network = PieceByPiece(torch.cat([table(tokenizer, tags, layer) for layer in says], 1))
    names = tags + [f"{n}:{tag}" for n in (2, 3, 4) for tag in tags]
    recipe = Spans.restore(SCHEMA | {"mode": mode}, names, {"layers": 4})
    (answer,) = recipe.predict([Item.of(text)], encoder(tokenizer), runner(network))
    spans = [(s["start"], s["end"], s["label"]) for s in answer.annotation["spans"]]
    assert spans == found
    assert len(answer.scores["spans"]) == len(spans)


@pytest.mark.parametrize("head", ["softmax", "crf"])
def test_a_model_finds_the_spans_inside_of_others(tmp_path: Path, head: str) -> None:
    rows = banks()
    folder = write_job(
        tmp_path, "ner", SCHEMA, split(rows), head=head, epochs=12, learning_rate=1e-2
    )
    result = fine_tune(folder)
    assert result["metrics"]["test"]["scores"]["f1"] > 0.9
    assert result["counts"]["nested"] == 0
    config = json.loads((folder.model / "config.json").read_text())
    assert len(config["id2label"]) == 10
    assert config["id2label"]["6"] == "2:B-ORG"
    card = json.loads((folder.model / "annotune.json").read_text())
    assert card["state"] == {"layers": 2}
    text = "the Bank of Oslo said 7"
    (answer,) = Predictor(folder.model).predict([text])
    assert answer["annotation"] == spans_in(text, ("Bank of Oslo", "ORG"), ("Oslo", "LOC"))


def test_a_model_of_layers_is_a_base_for_a_flat_one(tmp_path: Path) -> None:
    first = write_job(tmp_path / "first", "ner", SCHEMA, split(banks()), epochs=1)
    fine_tune(first)
    schema, rows = ner()
    second = write_job(
        tmp_path / "second", "ner", schema, split(rows), base="run", base_ref="first",
        base_model=str(first.model), epochs=1,
    )  # fmt: skip
    fine_tune(second)
    assert json.loads((second.model / "annotune.json").read_text())["state"] == {}
