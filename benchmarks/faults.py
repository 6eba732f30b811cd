"""What survives what? Trainings in real workers, while things are killed, lost and damaged around them.

    python benchmarks/faults.py [--trainings 4] [--minutes 5] [--seed 1] [--write docs/results.md]

Starts an embedded broker and two workers on a temporary data folder, as `annotune up` does, and trains one model
undisturbed. Then the same training is queued several times, and every few seconds one of the faults below is
brought about, chosen by the seed. At the end it checks that every run ended well and once, with the very same
model and the same points as the undisturbed one; that each attempt went on from the newest checkpoint there was;
and that no process is left. The exit code is 1 when something of this is not so.
"""

import argparse
import hashlib
import json
import os
import platform
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Short times, one thread (sums come out the same only so), and attempts enough for any number of kills.
for _name, _value in {
    "DATA_DIR": tempfile.mkdtemp(prefix="annotune-faults-"),
    "JOB_LEASE_SECONDS": "6",
    "JOB_REPUBLISH_SECONDS": "3",
    "RECONCILE_SECONDS": "0.5",
    "JOB_ATTEMPTS": "1000",
    "TRAIN_THREADS": "1",
}.items():
    os.environ[f"ANNOTUNE_{_name}"] = _value

import psutil
import redis
from sqlalchemy import select

from app.cli import broker
from app.db import session_scope
from app.group.programs import Group, Program
from app.migrate import migrate
from app.models import FINAL_STATES, Job, Run, RunPoint
from app.processes import wait_until
from app.services import direct_import, dispatch, jobs, projects, runs, versions
from app.services.access import Actor
from app.services.accounts import set_up, setup_token
from app.services.import_rows import ImportOptions
from app.services.projects import ProjectFields
from app.services.runs import model_key
from app.settings import get_settings
from app.storage import get_storage
from app.training import FineTuneParams
from worker import jobs as worker_jobs

PARAMS = FineTuneParams(
    base="scratch",
    scratch_layers=1,
    scratch_hidden=32,
    scratch_vocab=200,
    batch_size=8,
    max_length=16,
    precision="fp32",
    checkpoint_seconds=0.5,
    warmup_ratio=0.05,
    learning_rate=1e-3,
)
WORKERS = ("worker-one", "worker-two")


class Followed:
    """A run whose progress file is read while it grows: what the database never sees is seen here."""

    def __init__(self, run: Run) -> None:
        self.id, self.job_id = run.id, run.job_id
        self.folder = get_settings().work_dir / "runs" / run.id
        self.resumed: list[tuple[int, int]] = []
        """At which step each attempt went on, and how far the one before had been reported."""
        self.passed_over = 0
        """Attempts that went on from before the newest whole checkpoint."""
        self._file: Any = None
        self._rest = ""
        self._last = 0
        self._floor = 0
        self._damaged = False

    def look(self) -> None:
        """Read what is new."""
        if self._file is None:
            try:
                self._file = (self.folder / "progress.jsonl").open()
            except FileNotFoundError:
                return
        text = self._rest + self._file.read()
        whole, _, self._rest = text.rpartition("\n")
        for line in whole.splitlines():
            with suppress(ValueError):
                self._take(json.loads(line))

    def _take(self, event: dict[str, Any]) -> None:
        if event["type"] == "step":
            self._last = event["step"]
        elif event["type"] == "resumed":
            if event["step"] < self._floor and not self._damaged:
                self.passed_over += 1
            self.resumed.append((event["step"], self._last))
            self._last, self._floor, self._damaged = event["step"], 0, False

    def about_to_be_hurt(self, *, damaged: bool = False) -> None:
        """Remember the newest checkpoint: an attempt that comes after this has to go on from there."""
        self._floor = max([self._floor, *self.checkpoints()])
        self._damaged = self._damaged or damaged

    def checkpoints(self) -> list[int]:
        return sorted(
            int(path.name.removeprefix("step-"))
            for path in (self.folder / "checkpoints").glob("step-*")
            if (path / "state.json").exists()
        )

    def processes(self) -> list[psutil.Process]:
        """Its training processes."""
        return _matching(lambda words: words[-2:] == ["worker.train", str(self.folder)])


@dataclass
class Scene:
    """Everything that can be hurt."""

    group: Group
    chance: random.Random
    followed: list[Followed] = field(default_factory=list)

    def program(self, name: str) -> Program:
        return next(p for p in self.group.programs if p.name == name)

    def any_worker(self) -> Program | None:
        running = [p for p in self.group.programs if p.name in WORKERS and p.running]
        return self.chance.choice(running) if running else None

    def training(self) -> tuple[Followed, psutil.Process] | None:
        """A run that is being trained just now, and has something to lose."""
        found = [(f, p) for f in self.followed if f.checkpoints() for p in f.processes()]
        return self.chance.choice(found) if found else None

    def all_may_be_hurt(self) -> None:
        for one in self.followed:
            one.about_to_be_hurt()


# -- the faults; each says whether there was something to hurt ---------------------------------------


def kill_a_worker(scene: Scene) -> bool:
    if (worker := scene.any_worker()) is None:
        return False
    scene.all_may_be_hurt()
    os.kill(worker.process.pid, signal.SIGKILL)
    return True


def stop_a_worker(scene: Scene) -> bool:
    if (worker := scene.any_worker()) is None:
        return False
    scene.all_may_be_hurt()
    worker.process.send_signal(signal.SIGTERM)
    return True


def kill_a_supervisor(scene: Scene) -> bool:
    if (training := scene.training()) is None:
        return False
    one, trainer = training
    one.about_to_be_hurt()
    with suppress(psutil.Error):
        trainer.parent().kill()
    return True


def freeze_a_supervisor(scene: Scene) -> bool:
    """For longer than its lease lasts: when it wakes up, its job is another's."""
    if (training := scene.training()) is None:
        return False
    one, trainer = training
    one.about_to_be_hurt()
    with suppress(psutil.Error):
        supervisor = trainer.parent()
        supervisor.suspend()
        threading.Timer(get_settings().job_lease_seconds * 1.5, _resume, [supervisor]).start()
    return True


def _resume(process: psutil.Process) -> None:
    with suppress(psutil.Error):
        process.resume()


def kill_a_trainer(scene: Scene) -> bool:
    if (training := scene.training()) is None:
        return False
    one, trainer = training
    one.about_to_be_hurt()
    with suppress(psutil.Error):
        trainer.kill()
    return True


def damage_the_newest_checkpoint(scene: Scene) -> bool:
    """And kill the trainer, so that it is read."""
    if (training := scene.training()) is None or not training[0].checkpoints():
        return False
    one, trainer = training
    one.about_to_be_hurt(damaged=True)
    with suppress(psutil.Error, OSError):
        trainer.suspend()  # else the newest would be another one by the time it is damaged
        newest = one.folder / "checkpoints" / f"step-{one.checkpoints()[-1]:08d}"
        path = newest / scene.chance.choice(["model.safetensors", "training.pt", "state.json"])
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content)
        trainer.kill()
    return True


def restart_the_broker(scene: Scene) -> bool:
    os.kill(scene.program("broker").process.pid, signal.SIGKILL)
    return True


def restart_the_broker_without_its_data(scene: Scene) -> bool:
    os.kill(scene.program("broker").process.pid, signal.SIGKILL)
    shutil.rmtree(get_settings().data_dir / "broker", ignore_errors=True)
    return True


def lose_all_messages(scene: Scene) -> bool:
    url = get_settings().broker.replace("redis+socket:", "unix:")
    with suppress(redis.RedisError), redis.Redis.from_url(url) as client:
        client.flushall()
        return True
    return False


def send_each_message_three_times(scene: Scene) -> bool:
    sent = [dispatch.wake(f.job_id, "gpu") for f in scene.followed for _ in range(3)]
    return any(sent)


def lock_the_database(scene: Scene) -> bool:
    """For some seconds, against every writer."""

    def hold() -> None:
        path = get_settings().database.removeprefix("sqlite:///")
        with suppress(sqlite3.Error):
            connection = sqlite3.connect(path, timeout=10, isolation_level=None)
            connection.execute("BEGIN IMMEDIATE")
            time.sleep(5)
            connection.execute("ROLLBACK")
            connection.close()

    threading.Thread(target=hold).start()
    return True


FAULTS: dict[str, Callable[[Scene], bool]] = {
    "a worker is killed": kill_a_worker,
    "a worker is stopped": stop_a_worker,
    "a supervising process is killed": kill_a_supervisor,
    "a supervising process is frozen for longer than its lease": freeze_a_supervisor,
    "a training process is killed": kill_a_trainer,
    "the newest checkpoint is damaged, and its trainer killed": damage_the_newest_checkpoint,
    "the broker is killed and started again": restart_the_broker,
    "the broker is killed, and its data deleted": restart_the_broker_without_its_data,
    "all messages are lost": lose_all_messages,
    "each message comes three times more": send_each_message_three_times,
    "the database is locked for 5 s": lock_the_database,
}


# -- the play ----------------------------------------------------------------------------------------


def main() -> int:
    """Run it all, print the table or write it, and say by the exit code whether all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trainings", type=int, default=4, help="how many runs are disturbed")
    parser.add_argument(
        "--minutes", type=float, default=5, help="how long faults are brought about"
    )
    parser.add_argument(
        "--every", type=float, default=10, help="seconds between faults, on average"
    )
    parser.add_argument("--epochs", type=int, default=120, help="of each training")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=Path, help="file whose table of faults is replaced")
    arguments = parser.parse_args()
    migrate()
    with _services() as scene:
        scene.chance = random.Random(arguments.seed)
        actor, project_id, version = _project()
        params = PARAMS.model_copy(update={"epochs": arguments.epochs})
        began = time.monotonic()
        whole = _queue(actor, project_id, version, params)
        _until_ended(scene, [whole], within=900)
        undisturbed = time.monotonic() - began
        print(f"The undisturbed run took {undisturbed:.0f} s.", flush=True)
        scene.followed = [
            _queue(actor, project_id, version, params) for _ in range(arguments.trainings)
        ]
        injected = _disturb(scene, arguments.minutes * 60, arguments.every)
        _until_ended(scene, scene.followed, within=300 + undisturbed * 2 * arguments.trainings)
        wrong = _check(scene, whole)
    wrong += _left_processes()
    table = _table(scene, injected, arguments, undisturbed, wrong)
    print(table)
    if arguments.write:
        _replace(arguments.write, table)
    shutil.rmtree(get_settings().data_dir, ignore_errors=True)
    return 1 if wrong else 0


@contextmanager
def _services() -> Iterator[Scene]:
    """The broker and the workers; what dies is started again."""
    settings = get_settings()
    server = broker.find_server()
    if server is None:
        sys.exit(broker.HOW_TO_GET_ONE)
    group = Group(settings.data_dir / "logs", os.environ, lambda said: None)
    group.start(Program("broker", broker.command(server, settings), stop_seconds=5))
    if not broker.answers(settings.broker, within=20):
        sys.exit("The broker does not start.")
    for name in WORKERS:
        words = [sys.executable, "-P", "-m", "app.cli", "worker", "--queues", "gpu", "--name", name]
        group.start(Program(name, words, stop_seconds=40))
    try:
        yield Scene(group, random.Random())
        group.stop(WORKERS)
    finally:
        group.kill()


def _project() -> tuple[Actor, str, int]:
    """A project with labelled sentences, and the number of a version of it."""
    with session_scope() as session:
        token = setup_token(session)
        assert token
        user = set_up(
            session, token=token, email="bench@example.org", name="Bench", password="faults-bench-1"
        )
        actor = Actor(user.id, is_admin=True)
        labels = [{"name": "good"}, {"name": "bad"}]
        fields = ProjectFields(
            name="Faults", label_schema={"mode": "single", "labels": labels}, language="en"
        )
        project = projects.create(session, actor, task="sentiment", fields=fields)
    words = {"good": ("warm", "lovely", "funny"), "bad": ("dull", "dreary", "clumsy")}
    rows = [
        {
            "text": f"a {words[label][n % 3]} film, seen {n} times",
            "annotation": {"labels": [label]},
        }
        for n in range(48)
        for label in ("good", "bad")
    ]
    _row, job = direct_import.bring_in_rows(actor, project.id, rows, ImportOptions())
    assert job is not None
    worker_jobs.run(job.id)
    with session_scope() as session:
        version = versions.create(session, actor, project.id)
    worker_jobs.run(version.job_id)
    return actor, project.id, version.number


def _queue(actor: Actor, project_id: str, version: int, params: FineTuneParams) -> Followed:
    with session_scope() as session:
        return Followed(
            runs.create(session, actor, project_id, version_number=version, params=params)
        )


def _states(followed: list[Followed]) -> dict[str, str]:
    with session_scope(read_only=True) as session:
        rows = session.execute(
            select(Job.id, Job.state).where(Job.id.in_([f.job_id for f in followed]))
        )
        return {row.id: row.state for row in rows}


def _look_after(scene: Scene, seconds: float) -> None:
    """Let time pass."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        scene.group.look_after()
        for program in scene.group.programs:  # no need to spare a program that is killed on purpose
            program.failures = 0
        for one in scene.followed:
            one.look()
        time.sleep(0.05)


def _disturb(scene: Scene, seconds: float, every: float) -> Counter[str]:
    """Bring about faults for a while, or until there is nothing left to disturb."""
    injected: Counter[str] = Counter()
    until = time.monotonic() + seconds
    names: list[str] = []
    while time.monotonic() < until:
        _look_after(scene, scene.chance.uniform(0.3, 1.7) * every)
        if set(_states(scene.followed).values()) <= set(FINAL_STATES):
            break
        if not names:  # each once, in an order of chance, before any comes again
            names = scene.chance.sample(list(FAULTS), len(FAULTS))
        name = names.pop()
        with suppress(AttributeError):  # a program that is just between two lives
            if FAULTS[name](scene):
                injected[name] += 1
                print(f"{time.strftime('%H:%M:%S')} {name}", flush=True)
            else:
                names.insert(0, name)
    return injected


def _until_ended(scene: Scene, followed: list[Followed], *, within: float) -> None:
    def ended() -> bool:
        _look_after(scene, 0.5)
        return set(_states(followed).values()) <= set(FINAL_STATES)

    wait_until(ended, within=within)
    _look_after(scene, 1)


# -- what must be so ---------------------------------------------------------------------------------


def _check(scene: Scene, whole: Followed) -> list[str]:
    """What is not as it should be, in words."""
    wrong = []
    states, model, points = _states(scene.followed), _model(whole), _points(whole)
    if not points["evaluation"]:
        wrong.append("The undisturbed run has no points.")
    for n, one in enumerate(scene.followed, 1):
        if states[one.job_id] != "succeeded":
            with session_scope(read_only=True) as session:
                error = jobs.get(session, one.job_id).error
            wrong.append(f"Run {n} is {states[one.job_id]}: {error}")
            continue
        if _model(one) != model:
            wrong.append(f"Run {n} has another model than the undisturbed one.")
        own = _points(one)
        if own["evaluation"] != points["evaluation"]:
            wrong.append(f"Run {n} has other evaluations than the undisturbed one.")
        steps = [point["step"] for point in own["step"]]
        if len(set(steps)) != len(steps):
            wrong.append(f"Run {n} has steps that are told of twice.")
        # Which steps are told of follows the clock; what is told of them does not.
        ours, theirs = ({p["step"]: p for p in found["step"]} for found in (own, points))
        for step in ours.keys() & theirs.keys():
            if any(ours[step][k] != theirs[step][k] for k in ("learning_rate", "gradient_norm")):
                wrong.append(f"Run {n} took another step {step} than the undisturbed one.")
                break
        if max(steps, default=0) != max(theirs):
            wrong.append(f"Run {n} does not end at the last step.")
        if one.passed_over:
            wrong.append(
                f"Run {n} went back to before its newest checkpoint {one.passed_over} times."
            )
    return wrong


def _model(one: Followed) -> str:
    with (
        suppress(Exception),
        get_storage().reading(f"{model_key(one.id)}/model.safetensors") as file,
    ):
        return hashlib.sha256(file.read()).hexdigest()
    return ""


def _points(one: Followed) -> dict[str, list[dict[str, Any]]]:
    with session_scope(read_only=True) as session:
        rows = session.scalars(
            select(RunPoint).where(RunPoint.run_id == one.id).order_by(RunPoint.step, RunPoint.id)
        ).all()
    found: dict[str, list[dict[str, Any]]] = {"step": [], "evaluation": []}
    for row in rows:
        found[row.kind].append({"step": row.step} | row.values)
    return found


def _left_processes() -> list[str]:
    """Everything that was started here has ended."""
    folder = str(get_settings().data_dir)

    def ours() -> list[psutil.Process]:
        return _matching(lambda words: any(folder in word for word in words))

    wait_until(lambda: not ours(), within=10)
    return [f"The process {process.pid} is left." for process in ours()]


def _matching(matches: Callable[[list[str]], bool]) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and matches(process.cmdline()):
                found.append(process)
    return found


def _table(
    scene: Scene,
    injected: Counter[str],
    arguments: argparse.Namespace,
    undisturbed: float,
    wrong: list[str],
) -> str:
    resumed = [pair for one in scene.followed for pair in one.resumed]
    lost = [max(0, before - step) for step, before in resumed]
    with session_scope(read_only=True) as session:
        claims = [jobs.get(session, one.job_id).fence for one in scene.followed]
    lines = [
        f"Measured on {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"{time.strftime('%Y-%m-%d')}: {arguments.trainings} trainings of {undisturbed:.0f} s, two workers, "
        f"one fault about every {arguments.every:g} s, seed {arguments.seed}.",
        "",
        "| fault | times |",
        "|---|---|",
        *(f"| {name} | {injected[name]} |" for name in FAULTS),
        f"| **all** | **{injected.total()}** |",
        "",
        f"The runs were claimed {sum(claims)} times and went on from a checkpoint {len(resumed)} times; "
        f"{max(lost, default=0)} reported steps were done again at most, "
        f"{sum(lost) / max(1, len(lost)):.0f} on average.",
        "",
        *(
            [f"- {sentence}" for sentence in wrong]
            or [
                f"All {arguments.trainings} runs ended well and once. Model (bit for bit), evaluations, learning "
                "rates and gradient norms are those of the undisturbed run; none fell behind its newest whole "
                "checkpoint; no process is left."
            ]
        ),
    ]
    return "\n".join(lines)


def _replace(path: Path, table: str) -> None:
    begin, end = "<!-- faults -->", "<!-- end of faults -->"
    before, _begin, rest = path.read_text().partition(begin)
    after = rest.partition(end)[2]
    path.write_text(f"{before}{begin}\n{table}\n{end}{after}")


if __name__ == "__main__":
    sys.exit(main())
