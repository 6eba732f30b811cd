"""How long is an export made for the first time? Beside a bare loop that parses the same file and writes the same rows.

    python benchmarks/exports.py [--rows 100000] [--rounds 3]

A version of so many examples lies in a temporary storage. Each format is made as for a download, and by a loop of
orjson, csv or pyarrow that knows nothing of formats; the rounds take turns, and the best of each counts. Seconds are of
the processor, so that other work on the machine counts less; peak memory is that of this process.
"""

import argparse
import csv
import hashlib
import io
import json
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

DATA = tempfile.mkdtemp(prefix="annotune-exports-")
os.environ["ANNOTUNE_DATA_DIR"] = DATA

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from app.models import DatasetVersion, Project, now
from app.services import export_files
from app.services.export_files import ExportOptions, Plan
from app.services.version_files import data_key
from app.storage import get_storage
from app.tasks import get_task

ANNOTATIONS: dict[str, dict[str, Any]] = {
    "sentiment": {"labels": ["positive"]},
    "ner": {
        "spans": [
            {"start": 4, "end": 8, "label": "WORK"},
            {"start": 16, "end": 21, "label": "PER"},
        ]
    },
}
Row = dict[str, Any]


def make_version(task: str, count: int) -> tuple[Project, DatasetVersion]:
    """A version whose canonical file is in the storage; the database has no part in an export."""
    project = Project(id="project", name="Reviews", task=task, language="en", guidelines="")
    schema = get_task(task).default_schema("en").model_dump(mode="json")
    version = DatasetVersion(
        id=f"bench{task}",
        project_id=project.id,
        number=1,
        note="",
        label_schema=schema,
        instruction="Say what it is.",
        created_at=now(),
    )
    digest, size = hashlib.sha256(), 0
    with get_storage().writing(data_key(version.id)) as sink:
        for n in range(count):
            row = {
                "id": n + 1,
                "external_id": f"r{n}",
                "split": "train",
                "inputs": {
                    "text": f"The film by Mr. Brown, number {n}, was as long as the queue for it.",
                    "tokens": None,
                },
                "annotation": ANNOTATIONS[task],
                "meta": {"source": "web"},
            }
            line = orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
            digest.update(line)
            size += sink.write(line)
    splits = {"train": count, "validation": 0, "test": 0}
    version.counts = {"examples": count, "splits": splits, "labels": {}, "labels_by_split": {}}
    version.size, version.sha256 = size, digest.hexdigest()
    return project, version


def answer(task: str, row: Row) -> str:
    annotation, text = row["annotation"], row["inputs"]["text"]
    if task == "sentiment":
        return "\n".join(annotation["labels"])
    entities = [
        {"text": text[span["start"] : span["end"]], "label": span["label"]}
        for span in annotation["spans"]
    ]
    return json.dumps({"entities": entities}, ensure_ascii=False)


def bare_messages(task: str, rows: Iterator[Row], sink: Any) -> None:
    system = {"role": "system", "content": "Say what it is."}
    for row in rows:
        said = {"role": "user", "content": row["inputs"]["text"]}
        back = {"role": "assistant", "content": answer(task, row)}
        sink.write(
            orjson.dumps({"messages": [system, said, back]}, option=orjson.OPT_APPEND_NEWLINE)
        )


def bare_alpaca(task: str, rows: Iterator[Row], sink: Any) -> None:
    begin = b"[\n"
    for row in rows:
        sink.write(begin)
        sink.write(
            orjson.dumps(
                {
                    "instruction": "Say what it is.",
                    "input": row["inputs"]["text"],
                    "output": answer(task, row),
                }
            )
        )
        begin = b",\n"
    sink.write(b"\n]\n")


def bare_csv(task: str, rows: Iterator[Row], sink: Any) -> None:
    column = {"sentiment": "labels", "ner": "spans"}[task]
    text = io.TextIOWrapper(sink, encoding="utf-8", newline="")
    writer = csv.writer(text)
    for row in rows:
        said = row["annotation"][column]
        writer.writerow(
            [
                row["id"],
                row["external_id"],
                row["split"],
                row["inputs"]["text"],
                said[0] if task == "sentiment" else json.dumps(said, ensure_ascii=False),
                "",
                json.dumps(row["meta"], ensure_ascii=False),
            ]
        )
    text.detach()


def bare_parquet(task: str, rows: Iterator[Row], sink: Any) -> None:
    column = {"sentiment": "labels", "ner": "spans"}[task]
    writer = None
    while group := [row for _n, row in zip(range(5000), rows, strict=False)]:
        table = pa.Table.from_pylist(
            [
                {
                    "id": row["id"],
                    "external_id": row["external_id"],
                    "split": row["split"],
                    "text": row["inputs"]["text"],
                    column: row["annotation"][column],
                    "meta": orjson.dumps(row["meta"]).decode(),
                }
                for row in group
            ]
        )
        writer = writer or pq.ParquetWriter(sink, table.schema, compression="zstd")
        writer.write_table(table)
    if writer:
        writer.close()


BARE: dict[str, Callable[[str, Iterator[Row], Any], None]] = {
    "messages": bare_messages,
    "alpaca": bare_alpaca,
    "csv": bare_csv,
    "parquet": bare_parquet,
}


def by_hand(task: str, name: str, version: DatasetVersion, target: Path) -> float:
    begin = time.process_time()
    with get_storage().reading(data_key(version.id)) as source, target.open("wb") as sink:
        BARE[name](task, map(orjson.loads, source), sink)
    return time.process_time() - begin


def as_export(plan: Plan) -> float:
    get_storage().remove(f"{plan.key}.json")
    begin = time.process_time()
    for _piece in export_files.make(plan):
        pass
    return time.process_time() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    print(f"{wanted.rows:,} rows; rows a second of the processor")
    print("| task | format | export | bare loop | export / bare | peak memory |")
    print("|---|---|---|---|---|---|")
    for task in ANNOTATIONS:
        project, version = make_version(task, wanted.rows)
        for name in BARE:
            plan = export_files.plan(project, version, ExportOptions(format=name, split="all"))
            ours, bare = [], []
            for _round in range(wanted.rounds):
                bare.append(by_hand(task, name, version, Path(DATA) / "bare"))
                ours.append(as_export(plan))
            speed, plain = wanted.rows / min(ours), wanted.rows / min(bare)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(
                f"| {task} | {name} | {speed:,.0f} | {plain:,.0f} | {speed / plain:.0%} | {peak:,.0f} MiB |",
                flush=True,
            )


if __name__ == "__main__":
    try:
        main()
    finally:
        shutil.rmtree(DATA, ignore_errors=True)
