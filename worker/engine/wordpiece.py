"""A WordPiece vocabulary learned from a project's own texts, for models from scratch."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from tokenizers import Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import WordPiece
from tokenizers.trainers import WordPieceTrainer
from transformers import BertTokenizer

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def train_wordpiece(texts: Iterable[str], *, size: int, lowercase: bool, max_length: int) -> Any:
    """A BertTokenizer of at most `size` pieces; Chinese characters single, accents kept.

    The texts are gone through twice.
    Equal texts give equal vocabularies, ids included.
    """
    tokenizer = Tokenizer(WordPiece(unk_token="[UNK]"))  # noqa: S106
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=True, strip_accents=False, lowercase=lowercase
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    # A Chinese text has thousands of characters; a quarter is left for pieces of words.
    alphabet, inner = _characters(tokenizer, texts, room=size * 3 // 4)
    trainer = WordPieceTrainer(
        vocab_size=size,
        # The library numbers inner characters, and breaks ties between equally frequent ones, in the order
        # of a randomly seeded hash table, and later ties by those numbers. So both are settled here.
        special_tokens=[*SPECIAL, *(f"##{character}" for character in inner)],
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return BertTokenizer(
        vocab=tokenizer.get_vocab(),
        do_lower_case=lowercase,
        strip_accents=False,
        tokenize_chinese_chars=True,
        model_max_length=max_length,
    )


def _characters(
    tokenizer: Tokenizer, texts: Iterable[str], *, room: int
) -> tuple[list[str], list[str]]:
    """The most frequent characters of the words, and those of them that stand inside a word too and so are
    two pieces (`x` and `##x`): as many as make `room` pieces."""
    words: Counter[str] = Counter()
    for text in texts:
        normal = tokenizer.normalizer.normalize_str(text)
        words.update(word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(normal))
    counts: Counter[str] = Counter()
    inside: set[str] = set()
    for word, times in words.items():
        for character in word:
            counts[character] += times
        inside.update(word[1:])
    alphabet: list[str] = []
    for character in sorted(counts, key=lambda c: (-counts[c], c)):
        room -= 2 if character in inside else 1
        if room < 0:
            break
        alphabet.append(character)
    return alphabet, sorted(inside & set(alphabet))
