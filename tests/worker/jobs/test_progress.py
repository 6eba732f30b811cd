"""Following the files that a training process writes."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.progress import Progress, Report


def line(**event: Any) -> str:
    return json.dumps(event) + "\n"


def step(number: int) -> dict[str, Any]:
    return {"type": "step", "step": number, "total_steps": 9, "loss": 0.5}


def append(path: Path, text: str | bytes) -> None:
    with path.open("ab") as stream:
        stream.write(text if isinstance(text, bytes) else text.encode())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def test_a_line_still_being_written_waits(folder: Path) -> None:
    progress, report = Progress(folder), Report()
    whole = line(**step(1))
    append(folder / "progress.jsonl", whole[:10])
    assert not progress.read(report)
    append(folder / "progress.jsonl", whole[10:] + whole[:5])
    assert progress.read(report)
    assert [point["step"] for point in report.points] == [1]


def test_points_after_the_step_that_was_resumed_at_are_void(folder: Path) -> None:
    for event in (step(1), step(2), step(3), {"type": "resumed", "step": 1}, step(2)):
        append(folder / "progress.jsonl", line(**event))
    report = Report()
    Progress(folder).read(report)
    assert [point["step"] for point in report.points] == [1, 2]
    assert report.resumed_at == 1


def test_a_resume_before_what_was_already_void_counts(folder: Path) -> None:
    append(folder / "progress.jsonl", line(type="resumed", step=5))
    report = Report(resumed_at=-1)
    Progress(folder).read(report)
    assert report.resumed_at == -1


def test_lines_that_are_not_progress_are_passed_over(folder: Path) -> None:
    append(folder / "progress.jsonl", "oh\n[1]\n" + line(type="step") + line(**step(4)))
    report = Report()
    Progress(folder).read(report)
    assert [point["step"] for point in report.points] == [4]


def test_status_and_steps_make_the_state_that_pages_show(folder: Path) -> None:
    progress, report = Progress(folder), Report()
    append(folder / "progress.jsonl", line(type="status", phase="training", text="Epoch 1"))
    append(folder / "progress.jsonl", line(**step(3)))
    progress.read(report)
    assert progress.state["phase"] == "training"
    assert (progress.state["done"], progress.state["total"]) == (3, 9)


def test_only_the_log_of_this_attempt_is_read(folder: Path) -> None:
    append(folder / "log.txt", "the last attempt\n")
    progress, report = Progress(folder), Report()
    append(folder / "log.txt", "this attempt\n")
    progress.read(report)
    assert report.log == "this attempt\n"


@given(st.lists(st.text(max_size=20), max_size=5), st.data())
def test_the_log_arrives_whole_however_it_is_cut(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[str], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("run")
    whole = "".join(pieces).encode()
    cut = data.draw(st.integers(0, len(whole)))
    progress, report = Progress(folder), Report()
    append(folder / "log.txt", whole[:cut])
    progress.read(report)
    append(folder / "log.txt", whole[cut:])
    while progress.read(report):
        pass
    assert report.log == whole.decode()
