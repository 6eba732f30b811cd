"""Small trainings from a job's folder to predictions, for each task, head and kind of base model."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
)

from app.evaluation.outcomes import Outcomes
from app.settings import Settings
from app.tasks import get_task
from tests.worker.engine.conftest import Row, events, write_job
from worker import trainer
from worker.engine.errors import DataError, ModelError
from worker.engine.finetune import fine_tune
from worker.engine.predict import Predictor

OPENINGS = ("a", "what a", "one more")
PEOPLE, PLACES = (
    ("Ada", "Bo", "Cleo", "Dora", "Emil"),
    ("Rome", "上海", "New York", "Oslo", "Paris"),
)


def split(rows: list[Row]) -> dict[str, list[Row]]:
    return {"train": rows[8:], "validation": rows[:4], "test": rows[4:8]}


def sentiment() -> tuple[dict[str, Any], list[Row]]:
    words = {"good": ("lovely", "warm", "好看"), "bad": ("dull", "dreary", "难看")}
    rows = [
        (f"{OPENINGS[n % 3]} {words[label][n // 3 % 3]} film 🎬", {"labels": [label]})
        for n in range(60)
        for label in words
    ]
    return {"mode": "single", "labels": [{"name": "good"}, {"name": "bad"}]}, rows


def ner() -> tuple[dict[str, Any], list[Row]]:
    rows: list[Row] = []
    for n in range(60):
        person, place = PEOPLE[n % 5], PLACES[n // 5 % 5]
        text = f"{person} was seen in {place} 👍 on day {n}"
        start = text.index(place)
        spans = [
            {"start": 0, "end": len(person), "label": "PER"},
            {"start": start, "end": start + len(place), "label": "LOC"},
        ]
        rows.append((text, {"spans": spans}))
    return {"mode": "flat", "labels": [{"name": "PER"}, {"name": "LOC"}]}, rows


def srl() -> tuple[dict[str, Any], list[Row]]:
    rows: list[Row] = []
    for n in range(60):
        person, place, verb = PEOPLE[n % 5], PLACES[n // 5 % 5], ("slept", "sang")[n % 2]
        text = f"{person} {verb} in {place}"
        start = len(person) + 1
        predicate = {
            "start": start,
            "end": start + len(verb),
            "sense": {"slept": "sleep.01", "sang": "sing.01"}[verb],
            "arguments": [
                {"start": 0, "end": len(person), "role": "ARG0"},
                {"start": start + len(verb) + 1, "end": len(text), "role": "ARGM-LOC"},
            ],
        }
        rows.append((text, {"predicates": [predicate]}))
    return {"roles": [{"name": "ARG0"}, {"name": "ARGM-LOC"}]}, rows


TASKS = {"sentiment": sentiment, "ner": ner, "srl": srl}
AUTO = {
    "sentiment": AutoModelForSequenceClassification,
    "ner": AutoModelForTokenClassification,
    "srl": AutoModelForTokenClassification,
}


@pytest.mark.parametrize(
    ("task", "head"),
    [("sentiment", "softmax"), ("ner", "softmax"), ("ner", "crf"), ("srl", "softmax")],
)
def test_a_model_from_scratch_learns_is_saved_and_predicts(
    tmp_path: Path, task: str, head: str
) -> None:
    schema, rows = TASKS[task]()
    folder = write_job(
        tmp_path, task, schema, split(rows), head=head, epochs=12, learning_rate=1e-2
    )
    result = fine_tune(folder)

    primary = get_task(task).primary_metric
    assert result["primary"] == primary
    assert result["metrics"]["test"]["scores"][primary] > 0.9
    assert json.loads(folder.result.read_text()) == result
    losses = [event["loss"] for event in events(folder, "step")]
    assert losses[-1] < losses[0] / 3

    # The predictions beside it are those that were scored, and the intervals lie around the scores.
    kind, report = get_task(task), result["metrics"]["test"]
    lines = [json.loads(line) for line in folder.predictions.read_text().splitlines()]
    tested = [line for line in lines if line["split"] == "test"]
    assert len(tested) == report["examples"]
    pairs = [(kind.places(line["gold"]), kind.places(line["predicted"])) for line in tested]
    scores = Outcomes.of(pairs, sorted({label for pair in pairs for p in pair for _, label in p}))
    for name, counted in kind.counted_scores.items():
        assert scores.scores()[counted] == pytest.approx(report["scores"][name], abs=1e-6)
        low, high = report["intervals"][name]
        assert low <= report["scores"][name] <= high
    assert sum(bin["count"] for bin in report["calibration"]["bins"]) == report["examples"]

    network = AUTO[task].from_pretrained(folder.model)
    tokenizer = AutoTokenizer.from_pretrained(folder.model)
    assert "LABEL_0" not in network.config.label2id
    assert torch.isfinite(network(**tokenizer("Ada sang", return_tensors="pt")).logits).all()

    texts = [text for text, _ in rows[:8]]
    answers = Predictor(folder.model).predict(texts)
    assert [answer["annotation"] for answer in answers] == [gold for _, gold in rows[:8]]
    assert all(0 < answer["scores"]["confidence"] <= 1 for answer in answers)


@pytest.mark.parametrize("task", ["sentiment"])
def test_the_packaged_model_is_fine_tuned_and_predicts(
    tmp_path: Path, minilm: Path, task: str
) -> None:
    schema, rows = TASKS[task]()
    folder = write_job(
        tmp_path,
        task,
        schema,
        split(rows[:32]),
        base="packaged",
        base_model="packaged",
        epochs=8,
        learning_rate=5e-4,
    )
    result = fine_tune(folder)
    assert result["metrics"]["test"]["scores"][result["primary"]] > 0.5
    AUTO[task].from_pretrained(folder.model)
    (answer,) = Predictor(folder.model).predict([rows[0][0]])
    assert answer["annotation"] == rows[0][1]


def test_a_model_goes_on_learning_from_where_an_earlier_run_ended(tmp_path: Path) -> None:
    schema, rows = sentiment()
    first = write_job(
        tmp_path / "first", "sentiment", schema, split(rows), epochs=12, learning_rate=1e-2
    )
    before = fine_tune(first)
    again = write_job(
        tmp_path / "again",
        "sentiment",
        schema,
        split(rows),
        base="run",
        base_ref="first",
        base_model=str(first.model),
        epochs=1,
        learning_rate=1e-6,
    )
    after = fine_tune(again)
    assert before["metrics"]["test"]["scores"]["accuracy"] > 0.9
    assert after["metrics"]["test"]["scores"] == before["metrics"]["test"]["scores"]


def test_micro_batches_give_the_step_of_the_whole_batch(tmp_path: Path) -> None:
    schema, rows = ner()
    start = write_job(tmp_path / "start", "ner", schema, split(rows), epochs=1)
    fine_tune(start)
    config = json.loads((start.model / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0, "attention_probs_dropout_prob": 0}
    (start.model / "config.json").write_text(json.dumps(config))
    losses = []
    for parts in (1, 4):
        folder = write_job(
            tmp_path / str(parts),
            "ner",
            schema,
            split(rows),
            base="run",
            base_ref="start",
            base_model=str(start.model),
            epochs=3,
            batch_size=52,  # all of them: one step an epoch
            gradient_accumulation=parts,
        )
        fine_tune(folder)
        losses.append([event["loss"] for event in events(folder, "step")])
    assert len(losses[0]) == 3
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_empty_and_odd_texts_get_an_answer(tmp_path: Path) -> None:
    for task, make in TASKS.items():
        schema, rows = make()
        folder = write_job(tmp_path / task, task, schema, split(rows), epochs=1)
        fine_tune(folder)
        odd = ["", "   ", "\u200b", "👨‍👩‍👧", "字" * 80, "x" * 999, "a\tb\r\nc"]
        answers = Predictor(folder.model).predict(odd)
        assert len(answers) == len(odd)
        for text, answer in zip(odd, answers, strict=True):
            for span in answer["annotation"].get("spans", []):
                assert 0 <= span["start"] < span["end"] <= len(text)


class TestErrors:
    """What cannot work says why, in words for the person who started it."""

    def job(self, folder: Path, **params: Any) -> Any:
        schema, rows = sentiment()
        return write_job(folder, "sentiment", schema, split(rows), **params)

    def test_a_folder_without_a_model(self, tmp_path: Path) -> None:
        gone = tmp_path / "gone"
        folder = self.job(tmp_path / "run", base="folder", base_ref="gone", base_model=str(gone))
        with pytest.raises(ModelError, match=r"no model in the folder gone: config\.json"):
            fine_tune(folder)

    def test_a_model_that_is_not_on_the_hub_or_not_within_reach(
        self, tmp_path: Path, settings: Settings
    ) -> None:
        """In a process of its own, as the worker starts it."""
        name = "nobody/there-is-no-such-model"
        folder = self.job(tmp_path, base="hub", base_ref=name, base_model=name)
        done = subprocess.run(
            [sys.executable, "-m", "worker.train", str(folder.root)],
            env=trainer.environment(settings, online=False),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1, done.stdout + done.stderr
        error = json.loads(folder.error.read_text())
        assert error["category"] == "model"
        assert error["message"].startswith(f"The model {name} is not on this worker")
        assert "Traceback" not in error["message"]

    def test_a_base_model_without_its_weights(self, tmp_path: Path) -> None:
        first = self.job(tmp_path / "first", epochs=1)
        fine_tune(first)
        (first.model / "model.safetensors").unlink()
        folder = self.job(
            tmp_path / "run", base="folder", base_ref="first", base_model=str(first.model)
        )
        with pytest.raises(ModelError, match="The model model has no weights in safetensors"):
            fine_tune(folder)

    def test_a_version_without_training_examples(self, tmp_path: Path) -> None:
        schema, rows = sentiment()
        folder = write_job(tmp_path, "sentiment", schema, {"test": rows})
        with pytest.raises(DataError, match="no training examples"):
            fine_tune(folder)

    def test_spans_without_a_single_one(self, tmp_path: Path) -> None:
        folder = write_job(tmp_path, "ner", {"labels": []}, {"train": [("Ada", {"spans": []})]})
        with pytest.raises(DataError, match="nothing to learn"):
            fine_tune(folder)

    def test_a_line_of_the_version_that_cannot_be_read(self, tmp_path: Path) -> None:
        folder = self.job(tmp_path)
        with (tmp_path / "version.jsonl").open("a") as data:
            data.write('{"split": "train"\n')
        with pytest.raises(DataError, match="Line 121 of the version's data"):
            fine_tune(folder)

    def test_a_crf_where_there_are_no_tags(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="it has no tag sequences"):
            fine_tune(self.job(tmp_path, head="crf"))

    def test_a_folder_that_is_not_a_model_of_ours(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match=r"annotune\.json is missing"):
            Predictor(tmp_path)
