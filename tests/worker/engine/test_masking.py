"""What a model must guess: the share asked for, whole words, never a special piece, the same each time."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from worker.engine.corpus import Corpus, cut_between_words
from worker.engine.job import Item
from worker.engine.masking import Masker
from worker.engine.windows import Window
from worker.engine.wordpiece import train_wordpiece

TEXTS = [
    f"Unbelievable neighbourhoods welcomed {n} extraordinary travellers, 上海欢迎你们 and the sea 🎬"
    for n in range(40)
]
SPECIAL = ["<pad>", "<unk>", "<s>", "</s>", "<mask>"]


def wordpiece() -> Any:
    return train_wordpiece(TEXTS, size=90, lowercase=True, max_length=512)


def byte_level() -> Any:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    return _fast(tokenizer, trainer)


def sentencepiece() -> Any:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=120, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False
    )
    return _fast(tokenizer, trainer)


def _fast(tokenizer: Tokenizer, trainer: Any) -> Any:
    tokenizer.train_from_iterator(TEXTS, trainer)
    names = dict(
        zip(
            ("pad_token", "unk_token", "bos_token", "eos_token", "mask_token"), SPECIAL, strict=True
        )
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=512, **names)


TOKENIZERS = {"wordpiece": wordpiece, "byte-level": byte_level, "sentencepiece": sentencepiece}


@pytest.fixture(scope="module", params=TOKENIZERS)
def tokenizer(request: pytest.FixtureRequest) -> Any:
    return TOKENIZERS[request.param]()


def corpus(tokenizer: Any, texts: Sequence[str], room: int = 500) -> Corpus:
    return Corpus.of(map(Item.of, texts), tokenizer, room=room, check=lambda: None)


def masked(tokenizer: Any, rows: Corpus, *, epoch: int = 0, share: float = 0.15) -> list[Window]:
    masker = Masker.of(tokenizer, share=share, vocabulary=len(tokenizer))
    return [masker.window(rows[n], n, seed=1, epoch=epoch) for n in range(len(rows))]


def test_whole_words_are_masked_in_the_share_that_was_asked_for(tokenizer: Any) -> None:
    rows = corpus(tokenizer, TEXTS)
    several = pieces = 0
    for epoch in range(10):
        windows = masked(tokenizer, rows, epoch=epoch)
        for number, window in enumerate(windows):
            before = len(window.input_ids) - len(rows[number].ids)
            before = before // 2 if before else 0
            words = rows[number].words[np.array(window.positions) - before]
            for word in set(words.tolist()):
                whole = int((rows[number].words == word).sum())
                assert (words == word).sum() == whole, "a word is masked in part"
                several += whole > 1
        pieces += sum(len(window.positions) for window in windows)
    assert several > 100, "words of several pieces are among them"
    maskable = 10 * int((rows.words >= 0).sum())
    assert pieces / maskable == pytest.approx(0.15, abs=0.015)


def test_most_are_hidden_some_are_swapped_some_are_left(tokenizer: Any) -> None:
    rows = corpus(tokenizer, TEXTS)
    shown: Counter[str] = Counter()
    for epoch in range(20):
        for window in masked(tokenizer, rows, epoch=epoch, share=0.5):
            for position, target in zip(window.positions, window.targets or [], strict=True):
                piece = window.input_ids[position]
                shown[
                    "mask"
                    if piece == tokenizer.mask_token_id
                    else "same"
                    if piece == target
                    else "other"
                ] += 1
                assert piece not in tokenizer.all_special_ids or piece == tokenizer.mask_token_id
    share = {kind: n / shown.total() for kind, n in shown.items()}
    assert share == pytest.approx({"mask": 0.8, "same": 0.1, "other": 0.1}, abs=0.02)


def test_special_pieces_are_never_asked_for_even_where_they_stand_in_a_text(tokenizer: Any) -> None:
    mask, unknown = tokenizer.mask_token, tokenizer.unk_token
    special = set(tokenizer.all_special_ids)
    rows = Corpus.of(
        [Item.of(f"the {mask} sea {unknown} and", [(0, 3), (4, 4 + len(mask))])] * 3,
        tokenizer,
        room=50,
        check=lambda: None,
    )
    assert any(piece in special for piece in rows.ids)
    for epoch in range(20):
        for window in masked(tokenizer, rows, epoch=epoch, share=0.6):
            assert not special & set(window.targets or [])


def test_masks_differ_by_epoch_and_come_again(tokenizer: Any) -> None:
    rows = corpus(tokenizer, TEXTS)
    first, second = (masked(tokenizer, rows, epoch=epoch) for epoch in (0, 1))
    assert first == masked(tokenizer, rows, epoch=0)
    assert [w.positions for w in first] != [w.positions for w in second]
    one, other = (Masker.of(tokenizer, share=0.15, vocabulary=len(tokenizer)) for _ in range(2))
    assert one.fixed(rows[3], 3) == other.fixed(rows[3], 3)


def test_long_texts_become_rows_and_nothing_is_lost(tokenizer: Any) -> None:
    text = " ".join(TEXTS)
    whole, cut = corpus(tokenizer, [text], room=10_000), corpus(tokenizer, [text], room=24)
    assert (len(whole), whole.windowed, cut.windowed) == (1, 0, 1)
    assert cut.ids.tolist() == whole.ids.tolist()
    assert max(cut.lengths) <= 24
    inside = [
        n for n in range(1, len(cut)) if cut[n].words[0] == cut[n - 1].words[-1] != -1
    ]  # rows that begin inside a word
    assert not inside
    assert list(cut_between_words([0] * 7, 3)) == [(0, 3), (3, 6), (6, 7)]


def test_texts_without_words_are_no_rows(tokenizer: Any) -> None:
    rows = corpus(tokenizer, ["", "  ", "the sea"])
    assert (len(rows), rows.texts) == (1, 1)
