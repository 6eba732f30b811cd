"""A model's card in Hugging Face's layout: front matter for programs, then what a person should know.

https://huggingface.co/docs/hub/model-cards and, for the scores, the model-index of
https://github.com/huggingface/hub-docs/blob/main/modelcard.md. The licence is left to the person.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# What the hub calls our scores; the others keep their names.
_HUB_METRICS = {"macro_f1": "f1", "micro_f1": "f1", "mcc": "matthews_correlation"}


@dataclass(frozen=True, slots=True)
class Data:
    """The version a model was trained on."""

    project: str
    number: int
    sha256: str
    splits: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the card says."""

    name: str
    task: str
    pipeline: str
    language: str
    labels: Sequence[str]
    head: str
    base: str
    """The base model in words."""
    base_id: str | None
    """Its id on the hub, where it has one."""
    data: Data | None
    params: Mapping[str, Any]
    environment: Mapping[str, Any]
    result: Mapping[str, Any]


def model_card(facts: ModelFacts) -> str:
    """The whole README.md."""
    head = "\n".join(yaml_lines(_front_matter(facts)))
    note = "# license: choose one, such as apache-2.0, before you share the model"
    return f"---\n{head}\n{note}\n---\n\n{card_text(facts)}"


def card_text(facts: ModelFacts) -> str:
    """The part for people, as Markdown."""
    return "\n\n".join(part for part in _parts(facts) if part) + "\n"


def _front_matter(facts: ModelFacts) -> dict[str, Any]:
    found: dict[str, Any] = {
        "language": facts.language,
        "pipeline_tag": facts.pipeline,
        "library_name": "transformers",
        "tags": ["annotune", facts.task],
    }
    if facts.base_id:
        found["base_model"] = facts.base_id
    if facts.data:
        found["datasets"] = [f"{facts.data.project} v{facts.data.number}"]
    reports = facts.result.get("metrics") or {}
    names = dict.fromkeys(_hub(name) for report in reports.values() for name in report["scores"])
    if reports and facts.data:
        found["metrics"] = list(names)
        found["model-index"] = [
            {
                "name": facts.name,
                "results": [
                    {
                        "task": {"type": facts.pipeline},
                        "dataset": {
                            "name": f"{facts.data.project} v{facts.data.number}",
                            "type": "annotune",
                            "split": split,
                            "revision": facts.data.sha256,
                        },
                        "metrics": [
                            {"type": _hub(name), "name": name, "value": value}
                            for name, value in report["scores"].items()
                            if value is not None
                        ],
                    }
                    for split, report in reports.items()
                ],
            }
        ]
    return found


def _hub(name: str) -> str:
    return _HUB_METRICS.get(name, name)


def _parts(facts: ModelFacts) -> Iterator[str]:
    yield f"# {plain(facts.name)}"
    yield (
        f"A model for {facts.task}, fine-tuned with Annotune from {plain(facts.base)}. "
        f"Language: {facts.language}. Head: {facts.head}."
    )
    yield "## Labels"
    yield ", ".join(f"`{plain(label)}`" for label in facts.labels) or "None."
    yield "## Training data"
    if facts.data:
        counts = ", ".join(f"{n:,} {split}" for split, n in facts.data.splits.items())
        yield (
            f"Version {facts.data.number} of the project “{plain(facts.data.project)}”: {counts} examples. "
            f"SHA-256 of the version: `{facts.data.sha256}`."
        )
    yield from _scores(facts.result)
    yield from _speed(facts.result)
    yield "## Parameters"
    yield "\n".join(
        f"- `{name}`: {plain(str(value))}"
        for name, value in facts.params.items()
        if value is not None
    )
    packages = facts.environment.get("packages") or {}
    if packages:
        versions = ", ".join(f"{name} {number}" for name, number in packages.items() if number)
        yield f"Trained on {facts.environment.get('device')} with {versions}."
    yield "## Limits"
    yield (
        "The model knows the labels above and texts like those that it was trained on; for other kinds of "
        "text its scores may be lower than these. It repeats what annotators decided, their mistakes and "
        "leanings included. The scores come from texts that were set aside, and their intervals say how far "
        "other texts of the same kind would move them."
    )
    yield "## How to use it"
    if facts.head == "crf":
        yield (
            "The tag sequence is chosen by a CRF, whose weights (`crf.safetensors`) transformers does not "
            "read: without Annotune, tags are chosen one by one, and somewhat worse."
        )
    yield (
        "```python\nfrom transformers import pipeline\n\n"
        f'predict = pipeline("{facts.pipeline}", model="path/to/this/folder")\nprint(predict("…"))\n```'
    )
    yield "With Annotune (`pip install annotune[train]`), in the form of its annotations:"
    yield (
        "```python\nfrom worker.engine.predict import Predictor\n\n"
        'print(Predictor("path/to/this/folder").predict(["…"]))\n```'
    )


def _scores(result: Mapping[str, Any]) -> Iterator[str]:
    reports = result.get("metrics") or {}
    if not reports:
        return
    yield "## Scores"
    rows = ["| Split | Examples | Score | Value | 95% interval |", "|---|---|---|---|---|"]
    for split, report in reports.items():
        for name, value in report["scores"].items():
            bounds = report.get("intervals", {}).get(name)
            if value is not None:
                between = f"{bounds[0]:.4f} to {bounds[1]:.4f}" if bounds else ""
                rows.append(
                    f"| {split} | {report['examples']:,} | {name} | {value:.4f} | {between} |"
                )
    yield "\n".join(rows)
    yield next(iter(reports.values())).get("scheme", "")


def _speed(result: Mapping[str, Any]) -> Iterator[str]:
    speed = result.get("speed")
    if speed:
        yield "## Size and speed"
        one, many = speed["ms_per_text"]["1"], speed["ms_per_text"]["32"]
        yield (
            f"{result.get('parameters', 0):,} weights. {one:.1f} ms for a single text, {many:.2f} ms a text for "
            f"32 together ({speed['device']}, {speed['precision']}, {speed['threads']} threads, texts of about "
            f"{speed['characters']} characters)."
        )


def plain(words: str) -> str:
    """Words that stay words in Markdown."""
    return "".join(f"\\{c}" if c in "\\*[]<>|#" else " " if c in "`\n\r" else c for c in words)


def yaml_lines(value: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """A mapping as YAML lines; every scalar in JSON's form, which is YAML, too."""
    for key, item in value.items():
        if isinstance(item, Mapping):
            yield f"{indent}{key}:"
            yield from yaml_lines(item, indent + "  ")
        elif isinstance(item, list):
            yield f"{indent}{key}:"
            for part in item:
                if isinstance(part, Mapping):
                    first, *rest = yaml_lines(part, indent + "  ")
                    yield f"{indent}- {first.strip()}"
                    yield from rest
                else:
                    yield f"{indent}- {json.dumps(part, ensure_ascii=False)}"
        else:
            yield f"{indent}{key}: {json.dumps(item, ensure_ascii=False)}"
