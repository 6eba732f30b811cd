"""The documents say what the code does."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import command_line
from app.formats import READERS, WRITERS
from app.formats.headers import NAMES
from app.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def _settings_table() -> str:
    rows = ["| Setting | Default | |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = field.get_default(call_default_factory=True)
        if isinstance(default, bool):
            default = str(default).lower()
        shown = "" if default in (None, []) else f"`{default}`"
        rows.append(f"| `ANNOTUNE_{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(rows)


def test_the_settings_table_is_that_of_the_code() -> None:
    page = (ROOT / "docs/operating.md").read_text()
    table = page.partition("<!-- settings -->\n")[2].partition("\n<!-- end of settings -->")[0]
    assert table == _settings_table()


@pytest.mark.parametrize("name", sorted(READERS.keys() | WRITERS.keys()))
def test_every_format_is_described(name: str) -> None:
    assert f"| `{name}` |" in (ROOT / "docs/formats.md").read_text()


def test_every_column_name_that_is_recognised_is_described() -> None:
    page = (ROOT / "docs/formats.md").read_text()
    for role in ("text", "label", "external_id"):
        assert ", ".join(f"`{name}`" for name in NAMES[role]) in page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def _commands() -> list[str]:
    lines = [line for page in PAGES for line in page.read_text().splitlines()]
    return sorted(
        {line.partition(" #")[0].strip() for line in lines if line.startswith("annotune ")}
    )


@pytest.mark.parametrize("command", _commands())
def test_the_commands_that_are_shown_exist(command: str) -> None:
    words = shlex.split(command)[1:]
    names = [word for word in words[:2] if re.fullmatch(r"[a-z-]+", word)]
    result = CliRunner().invoke(command_line(), [*names[:1], "--help"], env={"COLUMNS": "200"})
    if "Commands" in result.output:
        result = CliRunner().invoke(command_line(), [*names[:2], "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    for option in (word for word in words if word.startswith("-")):
        assert re.search(rf"{option}\b", result.output), f"{command}: {option} is not an option"
