"""The Hugging Face folder opens in `datasets` with its splits and the labels' names."""

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from app.formats import WRITERS, Record
from app.formats.base import VersionFacts

SCRIPT = """
import json, sys
from datasets import load_dataset
data = load_dataset(sys.argv[1])
first = next(iter(data.values()))
found = {
    "splits": {name: part.num_rows for name, part in data.items()},
    "features": {name: repr(feature) for name, feature in first.features.items()},
    "rows": {name: part[0] for name, part in data.items()},
}
print(json.dumps(found))
"""
SPLITS = ("train", "validation", "test")
NER = [
    Record(
        "Ada ran in New York.",
        annotation={
            "spans": [
                {"start": 0, "end": 3, "label": "PER"},
                {"start": 11, "end": 19, "label": "a place"},
            ]
        },
        external_id=f"r{n}",
        meta={"n": n},
        row=n + 1,
        split=SPLITS[n % 3],
    )
    for n in range(6)
]
LABELS = [{"name": name, "color": "#15803d"} for name in ("PER", "a place")]
FACTS = VersionFacts(
    project="Names | places",
    number=3,
    schema={"labels": LABELS},
    counts={
        "splits": dict.fromkeys(SPLITS, 2),
        "labels": {"PER": 6, "a place": 6},
        "labels_by_split": {split: {"PER": 2, "a place": 2} for split in SPLITS},
    },
    sha256="f" * 64,
    guidelines="# Mark names\n\nAll of them.",
    licence="cc-by-4.0",
)


def unpacked(task: str, records: list[Record], facts: VersionFacts, folder: Path) -> Path:
    writer = WRITERS["huggingface"]
    data = b"".join(writer.write(records, task, conversation=lambda record: [], facts=facts))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        archive.extractall(folder)
    return folder


def opened(folder: Path, tmp_path: Path) -> dict[str, Any]:
    """What `datasets` makes of the folder, in a process of its own that reaches nobody."""
    pytest.importorskip("datasets", reason="the library that opens such folders is not here")
    around = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder)], env=around, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, Any] = orjson.loads(done.stdout.splitlines()[-1])
    return found


def test_entities_have_named_tags_and_splits(tmp_path: Path) -> None:
    folder = unpacked("ner", NER, FACTS, tmp_path / "data")
    found = opened(folder, tmp_path)
    assert found["splits"] == dict.fromkeys(SPLITS, 2)
    assert "['O', 'B-PER', 'I-PER', 'B-a_place', 'I-a_place']" in found["features"]["ner_tags"]
    row = found["rows"]["train"]
    assert row["tokens"] == ["Ada", "ran", "in", "New", "York", "."]
    assert row["ner_tags"] == [1, 0, 0, 3, 4, 0]
    assert row["spans"] == NER[0].annotation["spans"]  # type: ignore[index]
    assert (row["text"], row["external_id"], row["meta"]) == (NER[0].text, "r0", '{"n":0}')


@pytest.mark.parametrize("mode", ["single", "multi"])
def test_classes_have_their_names(tmp_path: Path, mode: str) -> None:
    labels = [{"name": name, "color": "#15803d"} for name in ("negative", "positive")]
    records = [Record("Fine.", annotation={"labels": ["positive"]}, row=1, split="train")]
    facts = VersionFacts(schema={"mode": mode, "labels": labels}, counts={"labels": {}})
    found = opened(unpacked("sentiment", records, facts, tmp_path / "data"), tmp_path)
    column = "labels" if mode == "multi" else "label"
    assert "ClassLabel(names=['negative', 'positive'])" in found["features"][column]
    assert found["rows"]["train"][column] == ([1] if mode == "multi" else 1)
    assert found["splits"] == {"train": 1}


def test_the_card_says_what_there_is(tmp_path: Path) -> None:
    text = (unpacked("ner", NER, FACTS, tmp_path) / "README.md").read_text()
    head = yaml.safe_load(text.split("---\n")[1])
    assert head["license"] == "cc-by-4.0"
    assert head["task_categories"] == ["token-classification"]
    files = head["configs"][0]["data_files"]
    assert [item["split"] for item in files] == list(SPLITS)
    assert all((tmp_path / item["path"]).is_file() for item in files)
    for words in ("| train | 2 |", "| a place | 2 | 2 | 2 |", "> # Mark names", "f" * 64):
        assert words in text
    assert "# Names \\| places, version 3" in text
