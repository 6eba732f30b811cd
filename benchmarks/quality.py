"""How good are the models that Annotune trains? The whole loop on real data: import, freeze, train, score.

    python benchmarks/quality.py --data FOLDER [--only sst2,wnut17] [--full] [--write docs/results.md]

FOLDER holds one folder a data set, each in the layout of its source (docs/results.md names the sources).
Everything goes through the application's own services on a fresh SQLite database, and the training runs
in the same supervised process as in production. Needs no server and no broker.
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("ANNOTUNE_DATA_DIR", tempfile.mkdtemp(prefix="annotune-quality-"))
# No broker here: jobs are carried out in this process.
os.environ.setdefault("ANNOTUNE_REDIS_URL", "redis://127.0.0.1:1/0")

from sqlalchemy import func, select

from app.db import session_scope
from app.migrate import migrate
from app.models import Annotation, Example, Job, Project, User
from app.services import freezing, import_job, importing, jobs, projects, runs, versions
from app.services.access import Actor
from app.services.accounts import set_up, setup_token
from app.services.import_rows import ImportOptions
from app.storage import get_storage
from app.tasks import get_task
from app.training import FineTuneParams, PretrainParams
from worker import supervisor
from worker.engine.environment import choose_device


@dataclass(frozen=True)
class Data:
    """One data set: its files, how they are read, what the import must count."""

    name: str
    task: str
    language: str
    metric: str
    train: str
    test: str | None
    """The file that is only tested on: the source's dev part."""
    expect: dict[str, int]
    """Counts that the import must give, from the description of the data."""
    read: dict[str, Any] = field(default_factory=dict)
    schema: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Trial:
    """One way to train on a data set, done once a seed."""

    data: str
    way: str
    params: dict[str, Any]
    seeds: int
    floor: float | None = None
    """What the worst seed must reach."""
    pretrain: dict[str, Any] | None = None
    """Where the model is pre-trained by masked words first, on the texts that are not tested on: how."""


NUMBERED = {"label_map": {"0": "negative", "1": "positive"}}
DATA = [
    Data(
        "sst2", "sentiment", "en", "accuracy", "sst2/train.tsv.gz", "sst2/dev.tsv",
        {"examples": 67_349 + 872}, read=NUMBERED,
    ),
    Data(
        "wnut17", "ner", "en", "f1", "wnut17/wnut17train.conll.gz", "wnut17/emerging.dev.conll.gz",
        {"examples": 3394 + 1009},
    ),
    Data(
        "waimai_10k", "sentiment", "zh", "accuracy", "waimai_10k/waimai_10k.csv.gz", None,
        {"examples": 11_987}, read=NUMBERED,
    ),
    Data(
        "cluener", "ner", "zh", "f1", "cluener/train.json.gz", "cluener/dev.json.gz",
        {"examples": 10_748 + 1343}, schema={"mode": "overlapping"},
    ),
    Data(
        "resume_ner", "ner", "zh", "f1",
        "resume_ner/train.char.bmes.gz", "resume_ner/dev.char.bmes.gz",
        {"examples": 3821 + 463},
    ),
    Data(
        "genia_nested", "ner", "en", "f1", "genia_nested/genia.dev.iob2.gz", None,
        {"examples": 1669}, schema={"mode": "nested"},
    ),
    Data(
        "propbank_ewt", "srl", "en", "argument_f1",
        "propbank_ewt/ewt-train.gold_conll.gz", "propbank_ewt/ewt-dev.gold_conll.gz",
        {
            "examples": 12_526 + 1968,
            "predicates": 40_429 + 4963,
            "arguments": 81_415 + 9583,
        },
    ),
]  # fmt: skip

SCRATCH = {"base": "scratch", "scratch_layers": 4, "scratch_hidden": 256}


def trials(*, full: bool) -> list[Trial]:
    """What is trained: within an hour on two cores, or on all data and longer, which wants a GPU."""
    seeds = 3 if full else 2
    chinese = SCRATCH | {"learning_rate": 5e-4, "epochs": 12 if full else 5}
    words = SCRATCH | {"learning_rate": 1e-3, "epochs": 20 if full else 8}
    roles = {"epochs": 4} if full else {"epochs": 2, "max_train_examples": 3000}
    return [
        Trial("sst2", "8,000 phrases", {"epochs": 1, "max_train_examples": 8000}, seeds, 0.82),
        Trial("sst2", "all phrases", {"epochs": 3 if full else 2}, seeds, 0.87),
        Trial("wnut17", "softmax", {"epochs": 10 if full else 5}, seeds),
        Trial("wnut17", "CRF", {"epochs": 10 if full else 5, "head": "crf"}, seeds),
        Trial("wnut17", "after MLM", {"epochs": 10 if full else 5}, seeds, pretrain={"epochs": 10}),
        Trial("waimai_10k", "from scratch", chinese | {"epochs": 3}, seeds),
        Trial("cluener", "from scratch", chinese, seeds),
        Trial("cluener", "after MLM", chinese, seeds, pretrain=words),
        Trial("resume_ner", "from scratch", chinese, seeds),
        Trial("resume_ner", "from scratch, CRF", chinese | {"head": "crf"}, seeds),
        Trial("genia_nested", "layers", {"epochs": 20 if full else 10}, seeds),
        Trial("propbank_ewt", "softmax", roles | {"head": "softmax"}, seeds),
        Trial("propbank_ewt", "CRF", roles | {"head": "crf"}, seeds),
    ]


@dataclass
class Imported:
    """A data set in the database, frozen."""

    data: Data
    project: str
    version: int
    counts: dict[str, int]
    seconds: float
    baseline: float | None


@dataclass
class Result:
    """What the runs of a trial came to."""

    trial: Trial
    of: Imported
    base: str
    examples: int
    epochs: int
    precision: str
    scores: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def main() -> None:
    """Run the trials and print, or write, the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with one folder a data set"
    )
    parser.add_argument("--only", default="", help="names of data sets, with commas between")
    parser.add_argument(
        "--full", action="store_true", help="all data, longer, three seeds: on a GPU"
    )
    parser.add_argument("--write", type=Path, help="page whose tables are replaced")
    arguments = parser.parse_args()
    wanted = set(filter(None, arguments.only.split(",")))
    migrate()
    actor = _administrator()
    for data in DATA:
        if wanted and data.name not in wanted:
            continue
        began = time.perf_counter()
        imported = _imported(data, arguments.data, actor)
        results = [
            _try(trial, imported, actor)
            for trial in trials(full=arguments.full)
            if trial.data == data.name
        ]
        table = _table(imported, results, seconds=time.perf_counter() - began)
        print(table, flush=True)
        if arguments.write:
            _replace(arguments.write, data.name, table)


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


def _imported(data: Data, folder: Path, actor: Actor) -> Imported:
    """Import a data set into a project of its own and freeze it. Asserts what must be counted."""
    with session_scope() as session:
        fields = projects.ProjectFields(name=data.name, language=data.language)
        project = projects.create(session, actor, task=data.task, fields=fields)
        project.label_schema = {**_empty_schema(data), **data.schema}
    started = time.perf_counter()
    _import(data, folder / data.train, project.id, actor, split=None)
    if data.test:
        _import(data, folder / data.test, project.id, actor, split="test")
    seconds = time.perf_counter() - started
    counts = _count(project.id)
    for name, expected in data.expect.items():
        assert counts[name] == expected, f"{data.name}: {counts[name]} {name}, expected {expected}"
    tested = 0 if data.test else 10
    split = versions.SplitPercent(train=95 - tested, validation=5, test=tested)
    with session_scope() as session:
        version = versions.create(session, actor, project.id, split=split)
    _carry_out(version.job_id, freezing.run)
    with session_scope(read_only=True) as session:
        baseline = _baseline(data, versions.ready(session, actor, project.id, version.number))
    return Imported(data, project.id, version.number, counts, seconds, baseline)


def _try(trial: Trial, of: Imported, actor: Actor) -> Result:
    """Train once a seed; asserts that every run is better than no model, and reaches the floor."""
    defaults = get_task(of.data.task).training_defaults.model_dump()
    params = FineTuneParams.model_validate(defaults | trial.params)
    base = params.base
    if trial.pretrain is not None:
        learned = _pretrain(trial, of.project, actor)
        base = learned["base"]
        params = params.model_copy(update={"base": "run", "base_ref": learned["run"]})
    with session_scope(read_only=True) as session:
        version = versions.ready(session, actor, of.project, of.version)
        examples = params.max_train_examples or version.counts["splits"]["train"]
    result = Result(trial, of, base, examples, params.epochs, "")
    for seed in range(42, 42 + trial.seeds):
        started = time.perf_counter()
        told = params.model_copy(update={"seed": seed})
        with session_scope() as session:
            run = runs.create(session, actor, of.project, version_number=of.version, params=told)
        _carry_out(run.job_id, supervisor.run)
        result.seconds.append(time.perf_counter() - started)
        with session_scope(read_only=True) as session:
            done = runs.get(session, actor, run.id).run
        assert done.result is not None
        score = done.result["metrics"]["test"]["scores"][of.data.metric]
        least = max(trial.floor or 0.0, of.baseline or 0.0)
        assert score > least, f"{trial.data}, {trial.way}, seed {seed}: {score}, not above {least}"
        result.scores.append(score)
        result.precision = (done.environment or {}).get("precision", "")
        print(f"{trial.data}, {trial.way}, seed {seed}: {score:.4f}", flush=True)
    return result


def _pretrain(trial: Trial, project_id: str, actor: Actor) -> dict[str, Any]:
    """Pre-train on the project's texts; the run, and what it started from and came to."""
    params = PretrainParams.model_validate(trial.pretrain)
    started = time.perf_counter()
    with session_scope() as session:
        run = runs.create_pretraining(session, actor, project_id, params=params)
    _carry_out(run.job_id, supervisor.run)
    with session_scope(read_only=True) as session:
        result = runs.get(session, actor, run.id).run.result or {}
    before, after = (result[when]["perplexity"] for when in ("before", "after"))
    assert after < before, f"{trial.data}: perplexity {before} before, {after} after"
    return {
        "run": run.id,
        "base": f"{params.base}, MLM of {params.epochs} epochs in {time.perf_counter() - started:.0f} s "
        f"(perplexity {before:.0f} to {after:.1f})",
    }


def _empty_schema(data: Data) -> dict[str, Any]:
    return {"roles": []} if data.task == "srl" else {"labels": []}


def _import(data: Data, path: Path, project_id: str, actor: Actor, *, split: str | None) -> None:
    with path.open("rb") as stream:
        row = importing.upload(actor, project_id, filename=path.name, stream=stream)
    options = ImportOptions.model_validate(
        {"read": data.read, "split": split, "on_error": "skip" if data.task == "srl" else "stop"}
    )
    with session_scope() as session:
        row = importing.start(session, actor, project_id, row.id, options)
    _carry_out(str(row.job_id), import_job.run)


def _carry_out(job_id: str, handler: Any) -> None:
    claim = jobs.claim(job_id, "benchmark")
    assert claim is not None
    handler(claim)
    with session_scope(read_only=True) as session:
        job = session.get_one(Job, job_id)
        assert job.state == "succeeded", f"{job.kind}: {job.state}: {job.error}"


def _count(project_id: str) -> dict[str, int]:
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


def _baseline(data: Data, version: Any) -> float | None:
    """What needs no model: the most frequent class; for entities, each known name with its most frequent type."""
    if data.task == "sentiment":
        by_split: dict[str, Counter[str]] = defaultdict(Counter)
        for line in _lines(version):
            by_split[line["split"]].update(line["annotation"]["labels"])
        majority = by_split["train"].most_common(1)[0][0]
        return by_split["test"][majority] / by_split["test"].total()
    if data.task != "ner":
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


def _table(of: Imported, results: list[Result], *, seconds: float) -> str:
    counted = ", ".join(f"{n:,} {name}" for name, n in of.counts.items())
    metric = of.data.metric
    baseline = "" if of.baseline is None else f" Without a model: {of.baseline:.4f}."
    head = f"| way | base | trained on | epochs | {metric}, mean of the seeds | each | training |"
    lines = [
        f"Imported in {of.seconds:.0f} s: {counted}.{baseline}",
        "",
        head,
        "|" + "---|" * (head.count("|") - 1),
    ]
    for row in results:
        each = ", ".join(f"{score:.4f}" for score in row.scores)
        deviation = f" ± {statistics.stdev(row.scores):.4f}" if len(row.scores) > 1 else ""
        lines.append(
            f"| {row.trial.way} | {row.base} | {row.examples:,} | {row.epochs} "
            f"| **{statistics.fmean(row.scores):.4f}**{deviation} | {each} "
            f"| {statistics.fmean(row.seconds):.0f} s ({row.precision}) |"
        )
    lines += [
        "",
        f"{platform.machine()}, {os.cpu_count()} cores, {choose_device().name}, Python "
        f"{platform.python_version()}, {time.strftime('%Y-%m-%d')}; {seconds / 60:.0f} minutes in all.",
    ]
    return "\n".join(lines)


def _replace(path: Path, name: str, table: str) -> None:
    """Put a data set's table into a page, between the comments that bear its name."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    text = path.read_text() if path.exists() else "# Results\n"
    if begin not in text:
        text += f"\n### {name}\n\n{begin}\n{end}\n"
    before, _begin, rest = text.partition(begin)
    after = rest.partition(end)[2]
    path.write_text(f"{before}{begin}\n{table}\n{end}{after}")


if __name__ == "__main__":
    main()
