"""What lies beside SFT files: which file is what, and how they are loaded."""

import json
from collections.abc import Mapping

from app.formats.base import VersionFacts
from app.formats.model_card import plain

_TRL = """```python
from datasets import load_dataset
from trl import SFTConfig, SFTTrainer

data = load_dataset("json", data_files={files})
trainer = SFTTrainer("MODEL", args=SFTConfig(), train_dataset=data["train"]{validation})
trainer.train()
```"""
_LLAMA_FACTORY = """`dataset_info.json` describes the files to LLaMA-Factory:

```yaml
dataset_dir: path/to/this/folder
dataset: {train}{validation}
```"""
_BY_TRL = {
    "messages": "TRL learns all tokens of `messages`, the question's too, unless it is told `assistant_only_loss=True` "
    "and the model's chat template marks what the assistant says. The format “TRL prompt and completion, "
    "conversational” needs neither.",
    "trl": "The loss is on the completion alone.",
    "trl_chat": "The model's chat template is put around the messages; the loss is on the completion alone.",
}
"""What is to be known of the formats that TRL reads."""


def readme(name: str, files: Mapping[str, str], facts: VersionFacts) -> str:
    """The README.md of a format's files, which are named by their split."""
    counts = facts.counts.get("splits", {})
    listed = [
        f"- `{file}`: {split}, {counts.get(split, 0):,} examples" for split, file in files.items()
    ]
    parts = [
        f"# {plain(facts.project)}, version {facts.number}",
        "One file for each split. Train on `train` alone: what is in `test` says how good a model is only as long as "
        "no model has seen it.",
        "\n".join(listed),
        f"SHA-256 of the version: `{facts.sha256}`.",
    ]
    if name in _BY_TRL:
        validation = ', eval_dataset=data["validation"]' if "validation" in files else ""
        snippet = _TRL.format(files=json.dumps(dict(files)), validation=validation)
        parts += ["With TRL:", snippet, _BY_TRL[name]]
    if name not in ("trl", "trl_chat"):
        validation = f"\neval_dataset: {name}_validation" if "validation" in files else ""
        parts += [_LLAMA_FACTORY.format(train=f"{name}_train", validation=validation)]
    return "\n\n".join(parts) + "\n"
