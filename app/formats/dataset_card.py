"""A data set's card in Hugging Face's layout: front matter for programs, then what a person should know.

https://huggingface.co/docs/hub/datasets-cards; the keys of the front matter are those of
https://github.com/huggingface/hub-docs/blob/main/datasetcard.md.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from app.formats.base import VersionFacts
from app.formats.licences import LICENCES
from app.formats.model_card import plain, yaml_lines

_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)


def dataset_card(
    facts: VersionFacts, category: str, features: Mapping[str, Any], files: Mapping[str, str]
) -> str:
    """The README.md. `category`: what the hub calls the task; `files`: the data's files by their split."""
    head = "\n".join(yaml_lines(_front_matter(facts, category, files)))
    note = "" if facts.licence else "# license: choose one before you share the data\n"
    parts = "\n\n".join(_parts(facts, features, files))
    return f"---\n{head}\n{note}---\n\n{parts}\n"


def _front_matter(facts: VersionFacts, category: str, files: Mapping[str, str]) -> dict[str, Any]:
    examples = sum(facts.counts.get("splits", {}).get(split, 0) for split in files)
    found: dict[str, Any] = {"license": facts.licence} if facts.licence else {}
    return {
        **found,
        "language": [facts.language],
        "task_categories": [category],
        "pretty_name": f"{facts.project} v{facts.number}",
        "size_categories": [next((name for most, name in _SIZES if examples < most), "n>10M")],
        "tags": ["annotune"],
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": split, "path": path} for split, path in files.items()],
            }
        ],
    }


def _parts(
    facts: VersionFacts, features: Mapping[str, Any], files: Mapping[str, str]
) -> Iterator[str]:
    yield f"# {plain(facts.project)}, version {facts.number}"
    if facts.note:
        yield plain(facts.note)
    yield '```python\nfrom datasets import load_dataset\n\ndata = load_dataset("path/to/this/folder")\n```'
    yield "## Splits"
    counts = facts.counts.get("splits", {})
    yield _table(("Split", "Examples"), [(split, f"{counts.get(split, 0):,}") for split in files])
    labels = facts.counts.get("labels_by_split", {})
    names = dict.fromkeys(name for split in files for name in labels.get(split, {}))
    if names:
        yield "## Labels"
        rows = [
            (plain(name), *(f"{labels[split].get(name, 0):,}" for split in files)) for name in names
        ]
        yield _table(("Label", *files), rows)
    yield "## Columns"
    yield "\n".join(f"- `{name}`: {_in_words(feature)}" for name, feature in features.items())
    if facts.guidelines.strip():
        yield "## Guidelines"
        yield "What the annotators were told:"
        yield "\n".join(f"> {line}".rstrip() for line in facts.guidelines.strip().splitlines())
    yield "## Licence"
    yield LICENCES.get(facts.licence, "None is chosen yet.")
    yield "## Where it comes from"
    yield (
        f"Annotated and frozen with Annotune: version {facts.number} of the project “{plain(facts.project)}”, "
        f"{facts.created_at}. Offsets are Unicode code points, the end exclusive. SHA-256 of the version's canonical "
        f"file: `{facts.sha256}`."
    )


def _in_words(feature: Any) -> str:
    if feature.get("_type") == "Value":
        return str(feature["dtype"])
    if feature.get("_type") == "ClassLabel":
        return f"one of {len(feature['names']):,} classes"
    if feature.get("_type") == "List":
        return f"list of {_in_words(feature['feature'])}"
    return "{" + ", ".join(f"{name}: {_in_words(part)}" for name, part in feature.items()) + "}"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
