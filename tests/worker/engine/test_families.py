"""Fine-tuning starts from every common family of models: tiny ones, made here with their own kind of tokenizer."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import (
    AutoModel,
    BertConfig,
    DebertaV2Config,
    ElectraConfig,
    GPT2Config,
    ModernBertConfig,
    PreTrainedTokenizerFast,
    RobertaConfig,
)

from app.training import FineTuneParams
from tests.worker.engine.conftest import events, write_job
from tests.worker.engine.test_training import ner, sentiment
from worker.engine.finetune import fine_tune
from worker.engine.models import build_network, open_base
from worker.engine.predict import Predictor
from worker.engine.windows import Frame
from worker.engine.wordpiece import train_wordpiece

TEXTS = [text for make in (ner, sentiment) for text, _ in make()[1]]
POSITIONS = 24
SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 64,
}


def wordpiece() -> Any:
    return train_wordpiece(TEXTS, size=300, lowercase=False, max_length=POSITIONS)


def byte_level(cls: str, sep: str, *, pair: str) -> Any:
    """As RoBERTa and ModernBERT have it."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    special = [cls, "<pad>", sep, "<unk>", "<mask>"]
    made.train_from_iterator(
        TEXTS,
        trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=special,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    made.post_processor = processors.TemplateProcessing(
        single=f"{cls} $A {sep}", pair=pair, special_tokens=[(cls, 0), (sep, 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made, cls_token=cls, sep_token=sep, pad_token="<pad>",
        unk_token="<unk>", mask_token="<mask>",
    )  # fmt: skip


def sentencepiece() -> Any:
    """As DeBERTa-v2 has it."""
    made = Tokenizer(models.Unigram())
    made.normalizer = normalizers.NFKC()
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    special = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"]
    made.train_from_iterator(
        TEXTS,
        trainers.UnigramTrainer(
            vocab_size=200, unk_token="[UNK]", special_tokens=special, show_progress=False
        ),
    )
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 1), ("[SEP]", 2)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made, cls_token="[CLS]", sep_token="[SEP]", pad_token="[PAD]",
        unk_token="[UNK]",
    )  # fmt: skip


def generative() -> Any:
    """As GPT-2 has it: nothing around a text, and no piece to pad with."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.train_from_iterator(
        TEXTS,
        trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=["<|endoftext|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    end = "<|endoftext|>"
    return PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token=end, eos_token=end, unk_token=end
    )


def bert() -> tuple[Any, Any]:
    tokenizer = wordpiece()
    return tokenizer, BertConfig(
        vocab_size=len(tokenizer), max_position_embeddings=POSITIONS, **SMALL
    )


def electra() -> tuple[Any, Any]:
    tokenizer = wordpiece()
    return tokenizer, ElectraConfig(
        vocab_size=len(tokenizer), embedding_size=16, max_position_embeddings=POSITIONS, **SMALL
    )


def roberta() -> tuple[Any, Any]:
    tokenizer = byte_level("<s>", "</s>", pair="<s> $A </s> </s> $B </s>")
    return tokenizer, RobertaConfig(
        vocab_size=len(tokenizer), max_position_embeddings=POSITIONS + 2, type_vocab_size=1,
        pad_token_id=1, bos_token_id=0, eos_token_id=2, **SMALL,
    )  # fmt: skip


def deberta() -> tuple[Any, Any]:
    tokenizer = sentencepiece()
    return tokenizer, DebertaV2Config(
        vocab_size=len(tokenizer), max_position_embeddings=POSITIONS, type_vocab_size=0,
        relative_attention=True, position_buckets=8, norm_rel_ebd="layer_norm",
        share_att_key=True, pos_att_type=["p2c", "c2p"], position_biased_input=False, **SMALL,
    )  # fmt: skip


def modernbert() -> tuple[Any, Any]:
    tokenizer = byte_level("[CLS]", "[SEP]", pair="[CLS] $A [SEP] $B [SEP]")
    return tokenizer, ModernBertConfig(
        vocab_size=len(tokenizer), max_position_embeddings=POSITIONS, local_attention=8,
        pad_token_id=1, cls_token_id=0, bos_token_id=0, sep_token_id=2, eos_token_id=2, **SMALL,
    )  # fmt: skip


def gpt2() -> tuple[Any, Any]:
    tokenizer = generative()
    return tokenizer, GPT2Config(
        vocab_size=len(tokenizer), n_positions=POSITIONS, n_embd=32, n_layer=1, n_head=2,
        bos_token_id=0, eos_token_id=0,
    )  # fmt: skip


FAMILIES = [bert, electra, roberta, deberta, modernbert, gpt2]
Made = tuple[str, Path]


@pytest.fixture(scope="module", params=FAMILIES, ids=lambda make: make.__name__)
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The folder of a tiny model with random weights, as the hub would have it."""
    make: Callable[[], tuple[Any, Any]] = request.param
    folder = tmp_path_factory.mktemp(make.__name__)
    tokenizer, config = make()
    torch.manual_seed(0)
    AutoModel.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return make.__name__, folder


@pytest.mark.parametrize(
    ("task", "tuning"), [("sentiment", "full"), ("sentiment", "lora"), ("ner", "lora")]
)
def test_a_model_of_any_family_is_tuned_saved_and_predicts(
    tmp_path: Path, base: Made, task: str, tuning: str
) -> None:
    name, source = base
    schema, rows = {"sentiment": sentiment, "ner": ner}[task]()
    # A text that is longer than the positions of the model, too: its windows must keep to them.
    rows = [(rows[0][0] + " again and again" * 12, rows[0][1]), *rows[1:12]]
    folder = write_job(
        tmp_path, task, schema, {"train": rows}, base="folder", base_ref=name,
        base_model=str(source), tuning=tuning, lora_rank=2, learning_rate=1e-3, epochs=1,
        max_length=512,
    )  # fmt: skip
    result = fine_tune(folder)
    assert result["counts"]["windowed"] >= 1
    assert all(step["gradient_norm"] > 0 for step in events(folder, "step"))

    before, after = (
        load_file(source / "model.safetensors"),
        load_file(folder.model / "model.safetensors"),
    )
    in_body = {key: value for key, value in after.items() if key.endswith(tuple(before))}
    assert in_body
    same = [
        key
        for key, value in in_body.items()
        if any(
            key.endswith(k) and v.shape == value.shape and torch.equal(v, value)
            for k, v in before.items()
        )
    ]
    assert len(same) < len(in_body)
    embeddings = [key for key in same if "embed" in key or ".wte" in key or ".wpe" in key]
    assert bool(embeddings) == (tuning == "lora")
    assert not any("lora" in key for key in after)

    predictor = Predictor(folder.model, precision="fp32")
    short, long = rows[1][0], rows[0][0]
    (alone,) = predictor.predict([short])
    beside = predictor.predict([short, long, "", "\u200b", "字" * 60])
    assert beside[0]["annotation"] == alone["annotation"]
    assert beside[0]["scores"]["confidence"] == pytest.approx(
        alone["scores"]["confidence"], abs=2e-3
    )
    assert all(0 <= answer["scores"]["confidence"] <= 1 for answer in beside)


def test_each_family_reads_as_many_pieces_as_it_has_positions(base: Made, tmp_path: Path) -> None:
    name, source = base
    params = FineTuneParams(base="folder", base_ref=name)
    opened = open_base(str(source), params, texts=[], cased=True, scratch_folder=tmp_path)
    assert opened.longest == POSITIONS
    assert opened.tokenizer.pad_token_id is not None
    frame = Frame.of(opened.tokenizer)
    around = {"roberta": (1, 2, 1), "gpt2": (0, 0, 0)}.get(name, (1, 1, 1))
    assert (len(frame.before), len(frame.between), len(frame.after)) == around


def test_each_family_has_the_quickest_attention_that_it_can_have(
    base: Made, tmp_path: Path
) -> None:
    name, source = base
    params = FineTuneParams(base="folder", base_ref=name)
    opened = open_base(str(source), params, texts=[], cased=True, scratch_folder=tmp_path)
    network = build_network(opened, "sequence", labels=["good", "bad"])
    # DeBERTa's weighs positions against words, which PyTorch's fused attention does not know.
    expected = "eager" if name == "deberta" else "sdpa"
    assert network.config._attn_implementation == expected
