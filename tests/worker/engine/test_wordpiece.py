"""The vocabulary of a model from scratch: learned from the project's texts, and the same each time."""

import pytest

from worker.engine.wordpiece import SPECIAL, train_wordpiece

ENGLISH = [f"a lovely film number {n}, unlike the dreary ones" for n in range(40)]
KOREAN = ["오늘 본 영화는 정말 재미있었다", "배우들의 연기가 아주 좋았고 음악도 훌륭했다"]
CHINESE = ["今天看的电影非常好看", "音乐也很好听，演员演得真棒👍"]


@pytest.mark.parametrize("texts", [ENGLISH, KOREAN, CHINESE, ENGLISH + KOREAN + CHINESE])
def test_equal_texts_give_equal_vocabularies(texts: list[str]) -> None:
    first, *others = (
        train_wordpiece(texts, size=200, lowercase=True, max_length=64).get_vocab()
        for _ in range(4)
    )
    assert all(other == first for other in others)


@pytest.mark.parametrize(
    "texts", [ENGLISH, [chr(0xAC00 + n) + chr(0xAC00 + n * 7 % 2000) for n in range(2000)]]
)
def test_a_vocabulary_is_not_larger_than_asked_and_begins_with_the_special_pieces(
    texts: list[str],
) -> None:
    vocabulary = train_wordpiece(texts, size=300, lowercase=True, max_length=64).get_vocab()
    assert len(vocabulary) <= 300
    assert sorted(vocabulary.values()) == list(range(len(vocabulary)))
    assert [vocabulary[piece] for piece in SPECIAL] == [0, 1, 2, 3, 4]


def test_frequent_words_are_whole_and_accents_stay() -> None:
    tokenizer = train_wordpiece(["Déjà vu, Café"] * 20, size=300, lowercase=True, max_length=64)
    assert tokenizer.tokenize("café déjà") == ["café", "déjà"]
    assert tokenizer.tokenize("cafe") == ["[UNK]"] or "é" not in "".join(tokenizer.tokenize("cafe"))


def test_capitals_are_kept_where_they_tell_something() -> None:
    tokenizer = train_wordpiece(["Rome rome"] * 20, size=300, lowercase=False, max_length=64)
    assert tokenizer.tokenize("Rome rome") == ["Rome", "rome"]
