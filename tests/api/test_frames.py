"""Frame files: read by a job, all of one or nothing."""

import io
import zipfile

from fastapi.testclient import TestClient

from app.models import Project, Roleset, User
from tests.api.conftest import Site
from tests.factories import count, make_project, work_off

FRAME = """<frameset><predicate lemma="{lemma}"><roleset id="{lemma}.01" name="do">
<roles><role n="0" descr="doer"/><role n="1" descr="thing"/></roles></roleset></predicate></frameset>"""


def archive(*lemmas: str, damaged: int = 0) -> bytes:
    """A zip of frame files, some of which are no XML."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as files:
        for lemma in lemmas:
            files.writestr(f"{lemma}.xml", FRAME.format(lemma=lemma))
        for n in range(damaged):
            files.writestr(f"bad{n}.xml", "<frameset>")
    return sink.getvalue()


def load(api: TestClient, project: Project, name: str, data: bytes) -> dict[str, object]:
    """Upload a frame file and let a worker read it; the file as it stands then."""
    answer = api.post(f"/projects/{project.id}/rolesets", files={"file": (name, data)})
    assert answer.status_code == 202, answer.text
    work_off(answer.json()["job"]["id"])
    found: dict[str, object] = api.get(
        f"/projects/{project.id}/rolesets/files/{answer.json()['id']}"
    ).json()
    return found


def senses(api: TestClient, project: Project, lemma: str) -> list[str]:
    items = api.get(f"/projects/{project.id}/rolesets", params={"lemma": lemma}).json()["items"]
    return [item["id"] for item in items]


def test_frames_are_read_by_a_job_and_malformed_files_cost_only_themselves(
    api: TestClient, ada: User
) -> None:
    project = make_project(ada, "srl")
    file = load(api, project, "frames.zip", archive("give", "take", damaged=1))
    assert file["job"]["state"] == "succeeded"  # type: ignore[index]
    assert file["loaded"] == 2
    assert "bad0.xml" in str(file["problems"])
    assert senses(api, project, "gave") == ["give.01"]


def test_a_file_without_frames_is_a_failed_job_that_says_why(
    site: Site, api: TestClient, ada: User
) -> None:
    project = make_project(ada, "srl")
    file = load(api, project, "notes.xml", b"<notes/>")
    assert file["job"]["state"] == "failed"  # type: ignore[index]
    assert "no PropBank frame" in file["job"]["error"]  # type: ignore[index]
    assert "no PropBank frame" in site.browser(ada).get(f"/projects/{project.id}/settings").text


def test_a_damaged_archive_leaves_nothing(api: TestClient, ada: User) -> None:
    project = make_project(ada, "srl")
    data = archive(*(f"verb{n}" for n in range(50)))
    file = load(api, project, "frames.zip", data[: len(data) // 2])
    assert file["job"]["state"] == "failed"  # type: ignore[index]
    assert count(Roleset) == 0


def test_an_emptied_inventory_is_empty_at_once_and_can_be_filled_again(
    api: TestClient, ada: User
) -> None:
    project = make_project(ada, "srl")
    load(api, project, "frames.zip", archive("give"))
    assert api.delete(f"/projects/{project.id}/rolesets").status_code == 204
    assert senses(api, project, "give") == []
    load(api, project, "frames.zip", archive("give", "take"))
    assert senses(api, project, "give") == ["give.01"]


def test_reading_frames_is_shown_and_cancelled_on_the_page(
    site: Site, api: TestClient, ada: User
) -> None:
    project = make_project(ada, "srl")
    browser = site.browser(ada)
    settings = f"/projects/{project.id}/settings"
    browser.post(f"/projects/{project.id}/frames", files={"file": ("f.zip", archive("give"))})
    assert "frames/cancel" in browser.get(settings).text
    assert api.delete(f"/projects/{project.id}/rolesets").status_code == 409
    browser.post(f"/projects/{project.id}/frames/cancel")
    fragment = browser.get(f"/projects/{project.id}/frames", headers={"HX-Request": "true"})
    assert "badge-cancelled" in fragment.text
    assert senses(api, project, "give") == []
