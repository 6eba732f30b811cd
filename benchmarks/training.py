"""How much of the machine does training use? Our engine beside transformers' Trainer, on the same sentences.

    python benchmarks/training.py --data FOLDER [--quick] [--write docs/results.md]

FOLDER holds sst2, wnut17 and msra_ner, in the layout of their sources. Each side trains the packaged MiniLM for
one epoch in a process of its own, in turns, so that what else the machine does meets both; it is the ratio that
says something. Trainer has its defaults (random order, padding to the longest of a batch, fp32) and our batch
size and learning rate; its texts are tokenised before its clock starts. Needs no server and no database.
"""

import argparse
import csv
import gzip
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

BATCH, RATE, LABELS = 32, 1e-4, ("negative", "positive")
WORDS_JOIN = {"wnut17": " ", "msra_ner": ""}
FILES = {"wnut17": "wnut17train.conll.gz", "msra_ner": "dh_msra.first12000.txt.gz"}


def main() -> None:
    """Run one side for a parent process, or the whole benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with one folder a data set"
    )
    parser.add_argument("--quick", action="store_true", help="640 sentences, once")
    parser.add_argument("--rounds", type=int, default=None, help="how often each side trains")
    parser.add_argument("--write", type=Path, help="file whose training section is replaced")
    parser.add_argument("--side", choices=("ours", "trainer"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    sentences = 640 if arguments.quick else 6920
    train = sst2(arguments.data / "sst2" / "train.tsv.gz", sentences)
    dev = sst2(arguments.data / "sst2" / "dev.tsv", 200 if arguments.quick else 872)
    if arguments.side:
        print(json.dumps({"ours": ours, "trainer": trainer}[arguments.side](train, dev)))
        return
    load = os.getloadavg()[0]
    rounds = arguments.rounds or (1 if arguments.quick else 2)
    found: dict[str, list[dict[str, float]]] = {"ours": [], "trainer": []}
    for _ in range(rounds):
        for side, results in found.items():
            results.append(in_a_process(side, arguments))
            print(side, results[-1], flush=True)
    first_step = start_to_first_step(train[:64])
    print("first step", first_step, flush=True)
    lengths = {"sst2": piece_counts([text for text, _ in train])}
    for name in FILES:
        rows = sentences_of(arguments.data / name / FILES[name], WORDS_JOIN[name])
        lengths[name] = piece_counts(rows[:sentences])
    report = table(found, lengths, first_step, sentences=sentences, load=load)
    print(report)
    if arguments.write:
        replace(arguments.write, report)


def sst2(path: Path, most: int) -> list[tuple[str, int]]:
    """Sentences and their label numbers, the first so many."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as lines:
        rows = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        next(rows)
        return [(text, int(label)) for (text, label), _ in zip(rows, range(most), strict=False)]


def sentences_of(path: Path, join: str) -> list[str]:
    """The sentences of a file with a word and its tag on each line."""
    found: list[str] = []
    words: list[str] = []
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in [*lines, ""]:
            if line.strip():
                words.append(line.split("\t")[0])
            elif words:
                found.append(join.join(words))
                words = []
    return found


def piece_counts(texts: Sequence[str]) -> list[int]:
    """Pieces of each text with its special ones, as a window has them."""
    from transformers import AutoTokenizer

    from worker.engine.models import packaged_folder

    tokenizer = AutoTokenizer.from_pretrained(packaged_folder())
    return [min(256, len(ids)) for ids in tokenizer(list(texts), verbose=False)["input_ids"]]


def in_a_process(side: str, arguments: argparse.Namespace) -> dict[str, float]:
    """What a side says of itself."""
    command = [sys.executable, __file__, "--data", str(arguments.data), "--side", side]
    command += ["--quick"] if arguments.quick else []
    done = subprocess.run(
        command,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"TOKENIZERS_PARALLELISM": "false"},
    )
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def working_folder(
    root: Path, train: Sequence[tuple[str, int]], dev: Sequence[tuple[str, int]]
) -> Any:
    """A run's folder, as a worker lays it out."""
    from app.training import FineTuneParams
    from worker.engine.job import Folder

    rows = [
        {"split": split, "inputs": {"text": text}, "annotation": {"labels": [LABELS[label]]}}
        for split, examples in (("train", train), ("test", dev))
        for text, label in examples
    ]
    (root / "version.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    params = FineTuneParams(epochs=1, batch_size=BATCH, learning_rate=RATE)
    job = {
        "kind": "finetune",
        "task": "sentiment",
        "schema": {"mode": "single", "labels": [{"name": name} for name in LABELS]},
        "params": params.model_dump(mode="json"),
        "data": str(root / "version.jsonl"),
        "base_model": "packaged",
    }
    (root / "job.json").write_text(json.dumps(job))
    return Folder(root)


def ours(train: Sequence[tuple[str, int]], dev: Sequence[tuple[str, int]]) -> dict[str, float]:
    """The engine, with a clock around what it writes."""
    from worker.engine import finetune
    from worker.engine.progress import Progress

    class Clock(Progress):
        """When training began and made its last step, and the seconds that writing took in between."""

        began = ended = writing = began_cpu = ended_cpu = 0.0

        def write(self, kind: str, **content: Any) -> None:
            started = time.perf_counter()
            super().write(kind, **content)
            now = time.perf_counter()
            if content.get("phase") == "training":
                Clock.began, Clock.began_cpu = now, time.process_time()
            elif kind == "step":
                Clock.ended, Clock.ended_cpu = now, time.process_time()
                Clock.writing += now - started

        def step_is_due(self) -> bool:
            started = time.perf_counter()
            is_due = super().step_is_due()
            Clock.writing += time.perf_counter() - started
            return is_due

    finetune.Progress = Clock  # type: ignore[misc]
    with tempfile.TemporaryDirectory() as name:
        folder = working_folder(Path(name), train, dev)
        result = finetune.fine_tune(folder)
    seconds = Clock.ended - Clock.began
    return {
        "seconds": seconds,
        "cpu": Clock.ended_cpu - Clock.began_cpu,
        "tokens": float(sum(piece_counts([text for text, _ in train]))),
        "accuracy": result["metrics"]["test"]["scores"]["accuracy"],
        "writing": Clock.writing / seconds,
    }


def trainer(train: Sequence[tuple[str, int]], dev: Sequence[tuple[str, int]]) -> dict[str, float]:
    """transformers' Trainer with its defaults."""
    import numpy as np
    import torch
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
    )

    from worker.engine.environment import use_threads
    from worker.engine.models import packaged_folder

    use_threads()
    tokenizer = AutoTokenizer.from_pretrained(packaged_folder())

    def rows(examples: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
        encoded = tokenizer([text for text, _ in examples], truncation=True, max_length=256)
        return [
            {"input_ids": ids, "attention_mask": mask, "labels": label}
            for ids, mask, (_, label) in zip(
                encoded["input_ids"], encoded["attention_mask"], examples, strict=True
            )
        ]

    torch.manual_seed(42)
    model = AutoModelForSequenceClassification.from_pretrained(
        packaged_folder(), num_labels=2, dtype=torch.float32
    )
    with tempfile.TemporaryDirectory() as folder:
        doing = Trainer(
            model=model,
            args=TrainingArguments(
                output_dir=folder,
                num_train_epochs=1,
                per_device_train_batch_size=BATCH,
                learning_rate=RATE,
                report_to="none",
                save_strategy="no",
                disable_tqdm=True,
            ),
            train_dataset=rows(train),
            data_collator=DataCollatorWithPadding(tokenizer),
        )
        cpu, started = time.process_time(), time.perf_counter()
        doing.train()
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        logits = doing.predict(rows(dev)).predictions
    right = np.asarray(logits).argmax(-1) == np.array([label for _, label in dev])
    return {
        "seconds": seconds,
        "cpu": cpu,
        "tokens": float(sum(piece_counts([text for text, _ in train]))),
        "accuracy": float(right.mean()),
    }


def start_to_first_step(train: Sequence[tuple[str, int]]) -> float:
    """Seconds from the start of a trainer's process to its first step."""
    with tempfile.TemporaryDirectory() as name:
        folder = working_folder(Path(name), train, [])
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "worker.train", name], stdout=subprocess.DEVNULL
        )
        try:
            while process.poll() is None or folder.result.exists():
                if folder.progress.exists() and '"type": "step"' in folder.progress.read_text():
                    return time.perf_counter() - started
                time.sleep(0.02)
            raise RuntimeError(f"the trainer ended with the code {process.returncode}")
        finally:
            process.terminate()
            process.wait()


def waste(lengths: Sequence[int], *, grouped: bool) -> float:
    """Share of the positions of an epoch that are padding: in our batches, or in a random order."""
    import numpy as np

    from worker.engine.batches import epoch_batches

    if grouped:
        plan = epoch_batches(lengths, BATCH, seed=42, epoch=1)
    else:
        order = np.random.default_rng(42).permutation(len(lengths)).tolist()
        plan = [order[i : i + BATCH] for i in range(0, len(order), BATCH)]
    padded = sum(len(rows) * max(lengths[row] for row in rows) for rows in plan)
    return 1 - sum(lengths) / padded


def table(
    found: dict[str, list[dict[str, float]]],
    lengths: dict[str, list[int]],
    first_step: float,
    *,
    sentences: int,
    load: float,
) -> str:
    """The section of the results."""
    import torch

    from worker.engine.environment import choose_device

    def middle(side: str, name: str) -> float:
        return statistics.median(run[name] for run in found[side])

    def rate(side: str, clock: str) -> float:
        return statistics.median(run["tokens"] / run[clock] for run in found[side])

    device = choose_device()
    lines = [
        f"Measured on {platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, "
        f"{device.name}, Python {platform.python_version()}, torch {torch.__version__}, "
        f"{time.strftime('%Y-%m-%d')}; load at the start {load:.1f}, at the end {os.getloadavg()[0]:.1f}.",
        f"sst2, the first {sentences:,} sentences, one epoch, batches of {BATCH}, "
        f"{len(found['ours'])} × each side in turns.",
        "",
        "| | ours | Trainer | ratio |",
        "|---|---|---|---|",
    ]
    for title, clock in (("second", "seconds"), ("second of processor time", "cpu")):
        a, b = rate("ours", clock), rate("trainer", clock)
        lines.append(f"| useful tokens a {title} | {a:,.0f} | {b:,.0f} | **{a / b:.2f}** |")
    for title, name in (("seconds of training", "seconds"), ("of them on a processor", "cpu")):
        a, b = middle("ours", name), middle("trainer", name)
        lines.append(f"| {title} | {a:.1f} | {b:.1f} | {a / b:.2f} |")
    a, b = middle("ours", "accuracy"), middle("trainer", "accuracy")
    lines.append(f"| accuracy on dev | {a:.4f} | {b:.4f} | |")
    lines.append(f"| precision | {device.precision} | fp32 | |")
    lines += ["", "| padding, share of the positions | ours | random order |", "|---|---|---|"]
    for name, sizes in lengths.items():
        lines.append(
            f"| {name} | **{waste(sizes, grouped=True):.1%}** | {waste(sizes, grouped=False):.1%} |"
        )
    lines += [
        "",
        f"Recording the progress took {middle('ours', 'writing'):.2%} of the training time. From the start of the "
        f"trainer's process to its first step: {first_step:.1f} s.",
    ]
    return "\n".join(lines)


def replace(path: Path, report: str) -> None:
    """Put the report between its markers in a page."""
    begin, end = "<!-- training -->", "<!-- end of training -->"
    text = path.read_text()
    if begin not in text:
        text = f"{text.rstrip()}\n\n## Training beside transformers' Trainer\n\n{begin}\n{end}\n"
    before, _, rest = text.partition(begin)
    path.write_text(f"{before}{begin}\n{report}\n{end}{rest.partition(end)[2]}")


if __name__ == "__main__":
    main()
