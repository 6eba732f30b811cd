"""The Chinese catalog says everything that the pages and services say, and nothing else."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from app.i18n import gettext, negotiate, ngettext, set_locale

ROOT = Path(__file__).parents[2]
KEYWORDS = {"_": None, "gettext": None, "mark": None, "ngettext": (1, 2)}
PLACE = re.compile(r"%\(\w+\)s|\{\w+\}|%%")

Message = str | tuple[str, ...]


def said() -> set[Message]:
    """Every message of the source."""
    mappings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["babel"][
        "mappings"
    ]
    methods = [(mapping["pattern"], mapping["method"]) for mapping in mappings]
    options = {
        mapping["pattern"]: {k: v for k, v in mapping.items() if k not in {"method", "pattern"}}
        for mapping in mappings
    }
    found: set[Message] = set()
    for folder in ("app", "templates", "worker"):
        patterns = [(p.removeprefix(f"{folder}/"), m) for p, m in methods if p.startswith(folder)]
        chosen = {p.removeprefix(f"{folder}/"): o for p, o in options.items()}
        found |= {
            row[2] for row in extract_from_dir(ROOT / folder, patterns, chosen, keywords=KEYWORDS)
        }
    return found


def catalog() -> dict[Message, Message]:
    with (ROOT / "app" / "locale" / "zh" / "messages.po").open("rb") as stream:
        return {
            message.id: message.string for message in read_po(stream, locale="zh") if message.id
        }


def test_the_catalog_holds_exactly_what_is_said() -> None:
    translated, source = set(catalog()), said()
    assert len(source) > 500
    assert source - translated == set(), "run `make messages`, then translate"
    assert translated - source == set(), "run `make messages`"


def test_everything_is_translated_with_the_same_places() -> None:
    for message, translation in catalog().items():
        english = message if isinstance(message, str) else message[1]
        chinese = translation if isinstance(translation, str) else translation[0]
        assert chinese, english
        assert sorted(PLACE.findall(english)) == sorted(PLACE.findall(chinese)), english


@pytest.fixture
def chinese() -> Iterator[None]:
    set_locale("zh")
    yield
    set_locale("en")


@pytest.mark.usefixtures("chinese")
def test_the_locale_decides() -> None:
    assert gettext("Labels") == "标签"
    assert gettext("imported %(subject)s", subject="a.csv") == "导入了 a.csv"
    assert [ngettext("%(n)s row", "%(n)s rows", n) for n in (1, 2)] == ["1 行", "2 行"]
    assert gettext("not in the catalog") == "not in the catalog"


@pytest.mark.parametrize(
    ("header", "locale"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("de-DE,de;q=0.9,zh;q=0.2,en;q=0.5", "en"),
        ("fr", "en"),
        ("zh;q=much", "en"),
        (None, "en"),
    ],
)
def test_the_browser_chooses_the_first_language(header: str | None, locale: str) -> None:
    assert negotiate(header) == locale
