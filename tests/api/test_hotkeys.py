"""Labels' keys: refused with the reason if they cannot give a label; old ones go on working in another way."""

import re

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from app.db import session_scope
from app.models import Project, User
from tests.api.conftest import Site
from tests.factories import make_project, make_user

UNUSABLE = ["S", "?", "[", "]", ";", "!", " ", "是", "１", "É"]


def schema(key: str | None, name: str = "A") -> dict[str, object]:
    return {"mode": "flat", "labels": [{"name": name, "hotkey": key}, {"name": "B", "hotkey": "b"}]}


@pytest.mark.parametrize("key", UNUSABLE)
def test_a_key_that_cannot_give_a_label_is_refused(api: TestClient, ada: User, key: str) -> None:
    made = {"name": "A project", "task": "ner", "label_schema": schema(key)}
    refused = api.post("/projects", json=made)
    assert refused.status_code == 422, refused.text
    assert "“A”" in refused.json()["detail"]
    project = make_project(ada, "ner", label_schema=schema("a"))
    changed = api.patch(f"/projects/{project.id}", json={"label_schema": schema(key)})
    assert changed.status_code == 422, changed.text


@pytest.mark.parametrize("key", ["1", "0", "a", "s", "ы", "é", "ß"])
def test_digits_and_small_letters_are_taken(api: TestClient, key: str) -> None:
    made = {"name": "A project", "task": "ner", "label_schema": schema(key)}
    assert api.post("/projects", json=made).status_code == 201


def test_the_settings_refuse_such_a_key_with_the_reason(quick_site: Site) -> None:
    ada = make_user("Ada", admin=True)
    project = make_project(ada, "ner")
    form = {"label_name": ["A"], "label_title": [""], "label_color": ["#2563eb"]}
    form |= {"label_hotkey": ["S"], "label_description": [""], "mode": ["flat"]}
    answer = quick_site.browser(ada).post(f"/projects/{project.id}/settings", data=form)
    assert answer.status_code == 422
    assert "Take “s”." in answer.text


def test_a_key_of_old_gives_way_to_a_free_one_and_the_settings_say_so(
    quick_site: Site,
) -> None:
    ada = make_user("Ada", admin=True)
    project = make_project(ada, "ner", label_schema=schema("1"))
    with session_scope() as session:
        session.execute(
            update(Project)
            .where(Project.id == project.id)
            .values(
                label_schema={
                    "mode": "flat",
                    "labels": [
                        {
                            "name": "A",
                            "color": "#2563eb",
                            "hotkey": "S",
                            "title": None,
                            "description": "",
                        },
                        {
                            "name": "B",
                            "color": "#2563eb",
                            "hotkey": "1",
                            "title": None,
                            "description": "",
                        },
                    ],
                }
            )
        )
    browser = quick_site.browser(ada)
    page = browser.get(f"/projects/{project.id}/label").text
    assert re.findall(r'data-key="(.)"', page)[:2] == ["2", "1"]
    assert "A: 2 in place of S" in browser.get(f"/projects/{project.id}/settings").text
    # What is as it was can be saved; guidelines do not wait for keys.
    answer = quick_site.caller(ada).patch(
        f"/projects/{project.id}",
        json={
            "guidelines": "New.",
            "label_schema": {
                "mode": "flat",
                "labels": [{"name": "A", "hotkey": "S"}, {"name": "B", "hotkey": "1"}],
            },
        },
    )
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "Two labels have the same key"), ("zh", "有两个标签使用了相同的按键")],
)
def test_twins_are_refused_in_plain_words(quick_site: Site, language: str, words: str) -> None:
    ada = make_user("Ada", admin=True)
    project = make_project(ada, "ner")
    form = {"label_name": ["A", "B"], "label_title": ["", ""], "label_color": ["#2563eb"] * 2}
    form |= {"label_hotkey": ["2", "2"], "label_description": ["", ""], "mode": ["flat"]}
    headers = {"Accept-Language": language}
    address = f"/projects/{project.id}/settings"
    answer = quick_site.browser(ada).post(address, data=form, headers=headers)
    assert answer.status_code == 422
    assert f"{words}" in answer.text
    assert "labels: " not in answer.text
    assert "hotkey &#39;" not in answer.text
