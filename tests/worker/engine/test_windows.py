"""Texts longer than a window: all of them is read, and what several windows say becomes one answer."""

from collections.abc import Callable
from itertools import pairwise
from math import exp
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worker.engine.conftest import MeanOfPieces, PieceByPiece, encoder, runner, table
from worker.engine.alignment import Pieces, align
from worker.engine.job import Item
from worker.engine.windows import Frame, cut
from worker.recipes.classification import Classification
from worker.recipes.spans import Spans
from worker.recipes.tagging import TagSet, ignore_cut_spans, tag_windows

TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
SAYS = {"Ada": "B-PER", "Byron": "I-PER", "New": "B-LOC", "York": "I-LOC"}
LONG = "Ada Byron saw rain " + "and then more " * 20 + "in New York and Ada " * 10 + "in New York"


@given(length=st.integers(0, 2000), room=st.integers(1, 300))
def test_windows_cover_a_text_with_overlaps(length: int, room: int) -> None:
    places = cut(length, room)
    assert places[0][0] == 0
    assert places[-1][1] == length
    assert all(end - start <= room for start, end in places)
    for (_, end), (start, _) in pairwise(places):
        assert start <= end if room < 4 else start < end


def find(tokenizer: Any, text: str, max_length: int) -> list[tuple[str, str]]:
    recipe = Spans.restore({}, TAGS, {})
    run = runner(PieceByPiece(table(tokenizer, TAGS, SAYS)))
    answer = recipe.predict([Item.of(text)], encoder(tokenizer, max_length), run)[0]
    return [(text[s["start"] : s["end"]], s["label"]) for s in answer.annotation["spans"]]


@pytest.mark.parametrize("max_length", [16, 17, 23, 64])
def test_spans_of_a_long_text_are_those_of_one_large_window(
    words: Callable[[str], Any], max_length: int
) -> None:
    tokenizer = words(LONG)
    whole = find(tokenizer, LONG, 512)
    assert whole.count(("New York", "LOC")) == 11
    assert whole[0] == ("Ada Byron", "PER")
    assert find(tokenizer, LONG, max_length) == whole


def test_a_long_text_is_learned_to_its_last_word_and_counted(words: Callable[[str], Any]) -> None:
    tokenizer, item = words(LONG), Item.of(LONG)
    place = LONG.rindex("New York")
    gold = Item(LONG, item.tokens, {"spans": [{"start": place, "end": place + 8, "label": "LOC"}]})
    encoded = Spans.restore({}, TAGS, {}).encode([gold], encoder(tokenizer, 16))
    assert encoded.counts["windowed"] == 1
    assert max(map(len, encoded.windows)) == 16
    assert {w for window in encoded.windows for w in window.words} == set(range(len(item.tokens)))
    last = encoded.windows[-1]
    assert last.targets is not None
    assert [TAGS[t] for t in last.targets[-2:]] == ["B-LOC", "I-LOC"]


def test_a_window_that_opens_inside_a_span_does_not_learn_an_impossible_beginning(
    words: Callable[[str], Any],
) -> None:
    text = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
    tokenizer, item = words(text), Item.of(text)
    label = {"spans": [{"start": 0, "end": len(text), "label": "PER"}]}
    encoded = Spans.restore({}, TAGS, {}).encode(
        [Item(text, item.tokens, label)], encoder(tokenizer, 10)
    )
    assert len(encoded.windows) > 1
    assert encoded.windows[0].weight == 8
    assert all(window.weight == 0 for window in encoded.windows[1:])


def test_a_word_is_answered_by_the_window_where_it_has_most_context(
    words: Callable[[str], Any],
) -> None:
    tokenizer = words(LONG)
    pieces = tokenizer(LONG, add_special_tokens=False)["input_ids"]
    windows = tag_windows(
        0, Pieces(pieces, list(range(len(pieces)))), encoder(tokenizer, 22), targets=None, outside=0
    )
    first, second = windows[:2]
    shared = sorted(set(first.words) & set(second.words))
    assert len(shared) == 5  # a quarter of the window
    near = {w: window.context[window.words.index(w)] for window in windows[:2] for w in shared[:1]}
    assert near[shared[0]] == 0  # at the second's edge: the first one answers
    assert first.context[first.words.index(shared[0])] == 4


def test_the_label_of_a_long_text_is_the_mean_of_its_windows(words: Callable[[str], Any]) -> None:
    text = "dull " * 13 + "superb " * 13
    tokenizer = words(text)
    scores = table(tokenizer, ["neither", "bad", "good"], {"dull": "bad", "superb": "good"})[:, 1:]
    recipe = Classification.restore({"mode": "single"}, ["bad", "good"], {})
    run = runner(MeanOfPieces(scores))
    answer = recipe.predict([Item.of(text)], encoder(tokenizer, 15), run)[0]
    # Windows of 13 pieces between two special ones: 13 dull; 3 dull, 10 superb; 13 superb.
    bad, good = (10 / 15 * (13 + 3) / 3, 10 / 15 * (10 + 13) / 3)
    assert answer.annotation == {"labels": ["good"]}
    assert answer.scores["labels"]["good"] == pytest.approx(1 / (1 + exp(bad - good)), abs=1e-5)


def test_a_text_in_windows_weighs_as_much_as_any_other(words: Callable[[str], Any]) -> None:
    tokenizer = words(LONG)
    recipe = Classification.restore({"mode": "single"}, ["bad", "good"], {})
    items = [Item(t, [], {"labels": ["good"]}) for t in ("Ada saw rain", LONG, "")]
    encoded = recipe.encode(items, encoder(tokenizer, 16))
    assert encoded.counts["windowed"] == 1
    for unit in range(3):
        weights = [w.weight for w in encoded.windows if w.unit == unit]
        assert sum(weights) == pytest.approx(1)


def test_the_special_pieces_of_a_model_are_read_off_its_tokenizer(
    words: Callable[[str], Any],
) -> None:
    tokenizer = words("a b")
    frame = Frame.of(tokenizer)
    cls, sep = tokenizer.cls_token_id, tokenizer.sep_token_id
    assert (frame.before, frame.between, frame.after) == ([cls], [sep], [sep])
    a, b = (tokenizer(x, add_special_tokens=False)["input_ids"] for x in "ab")
    pair = tokenizer("a", "b")
    assert frame.wrap(a, b) == (pair["input_ids"], pair["token_type_ids"])


def test_ignoring_a_cut_span_leaves_the_first_window_alone(words: Callable[[str], Any]) -> None:
    tokenizer = words("one two three")
    item = Item.of("one two three")
    pieces = align(tokenizer, [item.text], [item.tokens])[0]
    windows = tag_windows(0, pieces, encoder(tokenizer), targets={0: 1, 1: 2}, outside=0)
    ignore_cut_spans(windows, TagSet(TAGS))
    assert windows[0].targets == [1, 2, 0]
