"""How good are the models that Annotune trains? The whole loop on real data: import, freeze, train, score.

    python benchmarks/quality.py --data FOLDER [--only sst2,wnut17] [--write docs/results.md]

FOLDER holds one folder a data set, each in the layout of its source (docs/results.md names the sources).
Everything goes through the application's own services on a fresh SQLite database, and the training runs
in the same supervised process as in production. Needs no server and no broker.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("ANNOTUNE_DATA_DIR", tempfile.mkdtemp(prefix="annotune-quality-"))
# No broker here: jobs are carried out in this process.
os.environ.setdefault("ANNOTUNE_REDIS_URL", "redis://127.0.0.1:1/0")

from sqlalchemy import func, select

from app.db import session_scope
from app.migrate import migrate
from app.models import Annotation, Example, Job, Project, User
from app.services import importing, jobs, projects, runs, versions
from app.services.access import Actor
from app.services.accounts import set_up, setup_token
from app.storage import get_storage
from app.tasks import get_task
from app.training import FineTuneParams, PretrainParams
from worker import supervisor


@dataclass(frozen=True)
class Bench:
    """One data set: its files, how they are read, how it is trained, what it must reach."""

    name: str
    task: str
    language: str
    train: str
    test: str | None
    """The file that is only tested on: the source's dev part."""
    params: dict[str, Any]
    metric: str
    floor: float | None
    read: dict[str, Any] = field(default_factory=dict)
    schema: dict[str, Any] = field(default_factory=dict)
    expect: dict[str, int] = field(default_factory=dict)
    """Counts that the import must give, from the description of the data."""
    pretrain: dict[str, Any] | None = None
    """Where the model is pre-trained by masked words first, on the texts that are not tested on: how."""


SCRATCH = {"base": "scratch", "scratch_layers": 4, "scratch_hidden": 256}
CLUENER = Bench(
    "cluener", "ner", "zh", "cluener/train.json.gz", "cluener/dev.json.gz",
    SCRATCH | {"epochs": 8, "learning_rate": 5e-4}, "f1", None,
    schema={"mode": "overlapping"}, expect={"examples": 10_748 + 1343},
)  # fmt: skip
BENCHES = [
    Bench(
        "sst2", "sentiment", "en", "sst2/train.tsv.gz", "sst2/dev.tsv",
        {"max_train_examples": 8000, "epochs": 1}, "accuracy", 0.82,
        read={"label_map": {"0": "negative", "1": "positive"}},
        expect={"examples": 67_349 + 872},
    ),
    Bench(
        "wnut17", "ner", "en", "wnut17/wnut17train.conll.gz", "wnut17/emerging.dev.conll.gz",
        {"epochs": 5}, "f1", None, expect={"examples": 3394 + 1009},
    ),
    Bench(
        "waimai_10k", "sentiment", "zh", "waimai_10k/waimai_10k.csv.gz", None,
        SCRATCH | {"epochs": 3, "learning_rate": 5e-4}, "accuracy", None,
        read={"label_map": {"0": "negative", "1": "positive"}}, expect={"examples": 11_987},
    ),
    CLUENER,
    # The same fine-tuning, of a model of the same size that has read the texts before.
    replace(CLUENER, name="cluener_mlm", pretrain=SCRATCH | {"learning_rate": 1e-3, "epochs": 20}),
    Bench(
        "propbank_ewt", "srl", "en", "propbank_ewt/ewt-train.gold_conll.gz",
        "propbank_ewt/ewt-dev.gold_conll.gz",
        {"max_train_examples": 2000, "epochs": 2}, "argument_f1", None,
        expect={
            "examples": 12_526 + 1968,
            "predicates": 40_429 + 4963,
            "arguments": 81_415 + 9583,
        },
    ),
]  # fmt: skip


def main() -> None:
    """Run the benchmarks and print, or write, the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with one folder a data set"
    )
    parser.add_argument("--only", default="", help="names of data sets, with commas between")
    parser.add_argument("--write", type=Path, help="file whose results table is replaced")
    arguments = parser.parse_args()
    wanted = set(filter(None, arguments.only.split(",")))
    migrate()
    actor = _administrator()
    rows = []
    for bench in BENCHES:
        if not wanted or bench.name in wanted:
            rows.append(_run(bench, arguments.data, actor))
            print(rows[-1], flush=True)
    table = _table(rows)
    print(table)
    if arguments.write:
        _replace(arguments.write, table)


def _administrator() -> Actor:
    with session_scope() as session:
        token = setup_token(session)
        if token is None:
            return Actor(session.scalars(select(User.id)).first() or "", is_admin=True)
        user = set_up(
            session,
            token=token,
            email="bench@example.org",
            name="Benchmark",
            password="quality-bench-1",
        )
        return Actor(user.id, is_admin=True)


def _run(bench: Bench, data: Path, actor: Actor) -> dict[str, Any]:
    with session_scope() as session:
        project = projects.create(
            session,
            actor,
            task=bench.task,
            fields=projects.ProjectFields(name=bench.name, language=bench.language),
        )
        project.label_schema = {**_empty_schema(bench), **bench.schema}
    started = time.perf_counter()
    _import(bench, data / bench.train, project.id, actor, split=None)
    if bench.test:
        _import(bench, data / bench.test, project.id, actor, split="test")
    import_seconds = time.perf_counter() - started
    counted = _count(project.id, bench)
    for name, expected in bench.expect.items():
        assert counted[name] == expected, (
            f"{bench.name}: {counted[name]} {name}, expected {expected}"
        )
    own_test = 0 if bench.test else 10
    with session_scope() as session:
        version = versions.create(
            session,
            actor,
            project.id,
            split=versions.SplitPercent(train=95 - own_test, validation=5, test=own_test),
        )
    _carry_out(version.job_id, versions.run)
    params = FineTuneParams.model_validate(
        get_task(bench.task).training_defaults.model_dump() | bench.params
    )
    started = time.perf_counter()
    learned = None
    if bench.pretrain is not None:
        learned = _pretrain(bench, project.id, actor)
        params = params.model_copy(update={"base": "run", "base_ref": learned["run"]})
    with session_scope() as session:
        run = runs.create(session, actor, project.id, version_number=version.number, params=params)
    _carry_out(run.job_id, supervisor.run)
    seconds = time.perf_counter() - started
    with session_scope(read_only=True) as session:
        view = runs.get(session, actor, run.id)
        version = versions.ready(session, actor, project.id, version.number)
    assert view.run.result is not None
    scores = view.run.result["metrics"]["test"]["scores"]
    if bench.floor is not None:
        assert scores[bench.metric] >= bench.floor, f"{bench.name}: {scores}"
    baseline = _baseline(bench, version)
    if baseline is not None:
        assert scores[bench.metric] > baseline, f"{bench.name}: {scores} against {baseline}"
    return {
        "data": bench.name,
        "counts": counted,
        "base": params.base if learned is None else learned["base"],
        "trained on": params.max_train_examples or version.counts["splits"]["train"],
        "epochs": params.epochs,
        "metric": bench.metric,
        "score": scores[bench.metric],
        "baseline": baseline,
        "scores": scores,
        "import seconds": import_seconds,
        "train seconds": seconds,
        "precision": (view.run.environment or {}).get("precision"),
    }


def _pretrain(bench: Bench, project_id: str, actor: Actor) -> dict[str, Any]:
    """Pre-train on the project's texts; the run, and what it started from and came to."""
    params = PretrainParams.model_validate(bench.pretrain)
    with session_scope() as session:
        run = runs.create_pretraining(session, actor, project_id, params=params)
    _carry_out(run.job_id, supervisor.run)
    with session_scope(read_only=True) as session:
        result = runs.get(session, actor, run.id).run.result or {}
    before, after = (result[when]["perplexity"] for when in ("before", "after"))
    assert after < before, f"{bench.name}: perplexity {before} before, {after} after"
    return {
        "run": run.id,
        "base": f"{params.base}, MLM of {params.epochs} epochs (perplexity {before:.0f} to {after:.1f})",
    }


def _empty_schema(bench: Bench) -> dict[str, Any]:
    return {"roles": []} if bench.task == "srl" else {"labels": []}


def _import(bench: Bench, path: Path, project_id: str, actor: Actor, *, split: str | None) -> None:
    with path.open("rb") as stream:
        row = importing.upload(actor, project_id, filename=path.name, stream=stream)
    options = importing.ImportOptions.model_validate(
        {"read": bench.read, "split": split, "on_error": "skip" if bench.task == "srl" else "stop"}
    )
    with session_scope() as session:
        row = importing.start(session, actor, project_id, row.id, options)
    _carry_out(str(row.job_id), importing.run)


def _carry_out(job_id: str, handler: Any) -> None:
    claim = jobs.claim(job_id, "benchmark")
    assert claim is not None
    handler(claim)
    with session_scope(read_only=True) as session:
        job = session.get_one(Job, job_id)
        assert job.state == "succeeded", f"{job.kind}: {job.state}: {job.error}"


def _count(project_id: str, bench: Bench) -> dict[str, int]:
    """What the database holds after the import."""
    counts: Counter[str] = Counter()
    with session_scope(read_only=True) as session:
        project = session.get_one(Project, project_id)
        counts["examples"] = project.example_count
        counts["characters"] = sum(
            len(inputs["text"])
            for inputs in session.scalars(
                select(Example.inputs).where(Example.project_id == project_id)
            )
        )
        payloads = session.scalars(
            select(Annotation.payload).where(Annotation.project_id == project_id)
        )
        for payload in payloads:
            counts["spans"] += len((payload or {}).get("spans", ()))
            for predicate in (payload or {}).get("predicates", ()):
                counts["predicates"] += 1
                counts["arguments"] += len(predicate["arguments"])
        counts["rows"] = (
            session.scalar(select(func.count()).where(Example.project_id == project_id)) or 0
        )
    return {name: n for name, n in counts.items() if n}


def _lines(version: Any) -> Iterator[dict[str, Any]]:
    with get_storage().reading(versions.data_key(version.id)) as stream:
        yield from map(json.loads, stream)


def _baseline(bench: Bench, version: Any) -> float | None:
    """What needs no model: the most frequent class; for entities, each known name with its most frequent type."""
    if bench.task == "sentiment":
        by_split: dict[str, Counter[str]] = defaultdict(Counter)
        for line in _lines(version):
            by_split[line["split"]].update(line["annotation"]["labels"])
        majority = by_split["train"].most_common(1)[0][0]
        return by_split["test"][majority] / by_split["test"].total()
    if bench.task != "ner":
        return None
    names: dict[str, Counter[str]] = defaultdict(Counter)
    hit = gold = found = 0
    for line in sorted(_lines(version), key=lambda line: line["split"] == "test"):
        text, spans = line["inputs"]["text"], line["annotation"]["spans"]
        if line["split"] == "train":
            for span in spans:
                names[text[span["start"] : span["end"]]][span["label"]] += 1
        elif line["split"] == "test":
            guessed = set(_look_up(text, line["inputs"]["tokens"], names))
            truth = {(s["start"], s["end"], s["label"]) for s in spans}
            hit, gold, found = hit + len(guessed & truth), gold + len(truth), found + len(guessed)
    return 2 * hit / (gold + found) if gold + found else 0.0


def _look_up(
    text: str, tokens: list[tuple[int, int]] | None, names: dict[str, Counter[str]]
) -> Iterator[tuple[int, int, str]]:
    """Greedy longest match of names seen in training, token by token."""
    places = tokens or [(i, i + 1) for i in range(len(text))]
    at = 0
    while at < len(places):
        for end in range(min(len(places), at + 8), at, -1):
            start, stop = places[at][0], places[end - 1][1]
            if text[start:stop] in names:
                yield start, stop, names[text[start:stop]].most_common(1)[0][0]
                at = end - 1
                break
        at += 1


def _table(rows: list[dict[str, Any]]) -> str:
    head = "| data | base | trained on | epochs | metric | score | without a model | import | training |"
    lines = [
        f"Measured on {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"{time.strftime('%Y-%m-%d')}.",
        "",
        head,
        "|" + "---|" * (head.count("|") - 1),
    ]
    for row in rows:
        baseline = "" if row["baseline"] is None else f"{row['baseline']:.4f}"
        lines.append(
            f"| {row['data']} | {row['base']} | {row['trained on']:,} | {row['epochs']} | {row['metric']} "
            f"| **{row['score']:.4f}** | {baseline} | {row['import seconds']:.0f} s "
            f"| {row['train seconds']:.0f} s ({row['precision']}) |"
        )
    lines += ["", "Imported:", ""]
    lines += [
        f"- {row['data']}: " + ", ".join(f"{n:,} {name}" for name, n in row["counts"].items())
        for row in rows
    ]
    return "\n".join(lines)


def _replace(path: Path, table: str) -> None:
    begin, end = "<!-- results -->", "<!-- end of results -->"
    text = path.read_text() if path.exists() else f"# Results\n\n{begin}\n{end}\n"
    before, _begin, rest = text.partition(begin)
    after = rest.partition(end)[2]
    path.write_text(f"{before}{begin}\n{table}\n{end}{after}")


if __name__ == "__main__":
    main()
