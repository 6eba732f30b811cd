"""Which pieces stand for which words, for each kind of tokenizer and script."""

import unicodedata
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from app.tasks.tokenize import tokenize
from worker.engine.alignment import Pieces, align
from worker.engine.wordpiece import train_wordpiece

TEXTS = [
    "She can't have seen the 3.5 kg parcel.",
    "我们昨天在上海看了电影，很好看！",
    "iPhone很贵，but it's worth it",
    "well done 👍🏽 — 家庭👨‍👩‍👧真好",
    "naïve café co-operation, don't",
    "Ａｐｐｌｅ and ﬁne ½ litre",
    "x" * 300 + " end",
]


def byte_level() -> Any:
    """As GPT-2 and RoBERTa have it: bytes, merged across Chinese characters and punctuation."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(TEXTS * 20, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=made)


def sentencepiece() -> Any:
    """As XLM-R and T5 have it: NFKC, a mark for spaces, pieces that know no word borders but spaces."""
    made = Tokenizer(models.Unigram())
    made.normalizer = normalizers.NFKC()
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=400, unk_token="<unk>", special_tokens=["<unk>"], show_progress=False
    )
    made.train_from_iterator(TEXTS * 20, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>")


def from_scratch() -> Any:
    return train_wordpiece(TEXTS * 20, size=500, lowercase=False, max_length=512)


@pytest.fixture(scope="module", params=[byte_level, sentencepiece, from_scratch])
def tokenizer(request: pytest.FixtureRequest) -> Any:
    return request.param()


def aligned(tokenizer: Any, text: str) -> tuple[Pieces, list[str]]:
    """The pieces of a text, and its words."""
    spans = tokenize(text)
    return align(tokenizer, [text], [spans])[0], [text[a:b] for a, b in spans]


def plain(text: str) -> str:
    """What no tokenizer here tells apart: compatibility forms, joiners, spaces."""
    return "".join(c for c in unicodedata.normalize("NFKC", text) if c.isprintable() and c != " ")


@pytest.mark.parametrize("text", TEXTS[:-1])
def test_the_pieces_of_a_word_read_as_that_word(tokenizer: Any, text: str) -> None:
    pieces, words = aligned(tokenizer, text)
    for number, word in enumerate(words):
        own = [i for i, w in zip(pieces.ids, pieces.words, strict=True) if w == number]
        assert plain(tokenizer.decode(own).replace(" ##", "")) == plain(word)


@pytest.mark.parametrize("text", TEXTS)
def test_every_word_has_its_pieces_in_order(tokenizer: Any, text: str) -> None:
    pieces, words = aligned(tokenizer, text)
    assert list(pieces.first_pieces()) == list(range(len(words)))
    numbers = [w for w in pieces.words if w >= 0]
    assert numbers == sorted(numbers)


def test_a_piece_that_two_chinese_characters_share_is_taken_apart() -> None:
    bpe = byte_level()
    assert len(bpe("电影")["input_ids"]) < 2 * len(bpe("电")["input_ids"])
    pieces, words = aligned(bpe, "看了电影")
    assert words == ["看", "了", "电", "影"]
    assert set(pieces.words) == {0, 1, 2, 3}


def test_a_text_whose_words_have_pieces_of_their_own_is_as_the_model_reads_it(
    tokenizer: Any,
) -> None:
    text = "well done parcel"
    assert aligned(tokenizer, text)[0].ids == tokenizer(text, add_special_tokens=False)["input_ids"]


def test_several_texts_are_aligned_as_each_alone(tokenizer: Any) -> None:
    spans = [tokenize(text) for text in TEXTS]
    together = align(tokenizer, TEXTS, spans)
    assert together == [aligned(tokenizer, text)[0] for text in TEXTS]


def test_no_text_is_no_pieces(tokenizer: Any) -> None:
    assert align(tokenizer, ["", "  "], [[], []])[0] == Pieces([], [])


class TestPackagedModel:
    """The WordPiece vocabulary of the packaged English model."""

    def pieces(self, tokenizer: Any, text: str) -> list[tuple[str, int]]:
        found, _ = aligned(tokenizer, text)
        return list(zip(tokenizer.convert_ids_to_tokens(found.ids), found.words, strict=True))

    def test_a_word_in_pieces(self, minilm_tokenizer: Any) -> None:
        assert self.pieces(minilm_tokenizer, "Annotating cats") == [
            ("ann", 0),
            ("##ota", 0),
            ("##ting", 0),
            ("cats", 1),
        ]

    def test_chinese_goes_character_by_character(self, minilm_tokenizer: Any) -> None:
        found = self.pieces(minilm_tokenizer, "我爱 Rome")
        assert [word for _, word in found] == [0, 1, 2]
        assert found[-1] == ("rome", 2)

    def test_what_the_vocabulary_lacks_still_has_its_place(self, minilm_tokenizer: Any) -> None:
        assert self.pieces(minilm_tokenizer, "so 👍🏽 good") == [
            ("so", 0),
            ("[UNK]", 1),
            ("good", 2),
        ]

    def test_a_word_without_any_piece_shifts_nothing(self, minilm_tokenizer: Any) -> None:
        text = "a \u200b b \ufe0f c"
        found, words = aligned(minilm_tokenizer, text)
        assert words == ["a", "\u200b", "b", "\ufe0f", "c"]
        assert found.first_pieces() == {0: 0, 2: 1, 4: 2}

    def test_tokens_that_cut_through_a_piece_get_pieces_of_their_own(
        self, minilm_tokenizer: Any
    ) -> None:
        spans = [(0, 3), (3, 6)]
        found = align(minilm_tokenizer, ["cannot"], [spans])[0]
        assert minilm_tokenizer.convert_ids_to_tokens(found.ids) == ["can", "not"]
        assert found.words == [0, 1]

    def test_accents_and_capitals_change_no_offset(self, minilm_tokenizer: Any) -> None:
        assert self.pieces(minilm_tokenizer, "CAFÉ cafe\u0301 ok") == [
            ("cafe", 0),
            ("cafe", 1),
            ("ok", 2),
        ]
