"""What the demo projects hold: names, label schemas, guidelines, sentences, frame inventory."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from app.tasks.srl import default_roles

_FOLDER = Path(__file__).parent

DEMO_ROLES = (
    "ARG0", "ARG1", "ARG2", "ARG3", "ARG4", "ARG5",
    "ARGM-TMP", "ARGM-LOC", "ARGM-MNR", "ARGM-NEG", "ARGM-MOD", "ARGM-ADV", "ARGM-DIS",
    "ARGM-CAU", "ARGM-PRP", "ARGM-DIR", "ARGM-EXT", "ARGM-GOL",
)  # fmt: skip
"""The part of the PropBank set that the demo's guidelines explain: few enough to learn in a sitting."""


class DemoRow(TypedDict):
    """One line of a demo file; `tokens` are (start, end) code-point offsets, end exclusive."""

    external_id: str
    text: str
    tokens: NotRequired[list[list[int]]]
    language: str
    annotation: dict[str, Any]


@dataclass(frozen=True, slots=True)
class DemoProject:
    """One project of the demo: what its settings say and which files hold its content."""

    name: str
    task: str
    language: str
    """The language of instructions and training defaults; the sentences are English and Chinese."""
    description: str
    schema: dict[str, Any]
    data: str
    """The JSONL file in this folder."""
    guidelines_file: str

    @property
    def guidelines(self) -> str:
        """The annotation guidelines as Markdown, English first, then Chinese."""
        return (_FOLDER / "guidelines" / self.guidelines_file).read_text(encoding="utf-8")

    @property
    def data_path(self) -> Path:
        """The file with the sentences."""
        return _FOLDER / self.data


def _label(name: str, title: str, color: str, hotkey: str, description: str) -> dict[str, Any]:
    return {
        "name": name,
        "title": title,
        "color": color,
        "hotkey": hotkey,
        "description": description,
    }


SENTIMENT = DemoProject(
    name="Customer voices 顾客之声",
    task="sentiment",
    language="en",
    description=(
        "Short remarks about products, restaurants, travel, films and apps: is the writer pleased, "
        "displeased, or neither? 商品、餐馆、旅行、电影和应用的短评：作者满意、不满意，还是都不是？"
    ),
    schema={
        "mode": "single",
        "labels": [
            _label(
                "positive",
                "Positive 积极",
                "#15803d",
                "1",
                "The writer is pleased, on balance. 总体上满意。",
            ),
            _label(
                "neutral",
                "Neutral 中性",
                "#64748b",
                "2",
                "Facts, questions, or good and bad in balance. 事实、提问，或好坏相当。",
            ),
            _label(
                "negative",
                "Negative 消极",
                "#be123c",
                "3",
                "The writer is displeased, on balance. 总体上不满意。",
            ),
        ],
    },
    data="sentiment.jsonl",
    guidelines_file="sentiment.md",
)

NER = DemoProject(
    name="People, places, products 人、地、物",
    task="ner",
    language="en",
    description=(
        "News-like sentences with people, organisations, places, dates and products. "
        "类似新闻的句子，标注人名、机构、地点、日期和产品。"
    ),
    schema={
        "mode": "flat",
        "labels": [
            _label(
                "PER",
                "Person 人名",
                "#2563eb",
                "1",
                "Names of people, without titles. 人的姓名，不含称谓。",
            ),
            _label(
                "ORG",
                "Organisation 机构",
                "#c2410c",
                "2",
                "Companies, schools, offices, teams, shops, newspapers. 公司、学校、机关、球队、店铺、报社。",
            ),
            _label(
                "LOC",
                "Place 地点",
                "#15803d",
                "3",
                "Countries, towns, rivers, mountains, regions. 国家、城镇、河流、山脉、地区。",
            ),
            _label(
                "DATE",
                "Date 日期",
                "#6d28d9",
                "4",
                "Days, months, years, seasons, feasts, also relative ones. 年月日、季节、节日，含相对日期。",
            ),
            _label(
                "PRODUCT",
                "Product 产品",
                "#be123c",
                "5",
                "Names of things that are made and sold, also software. 商品和软件的名称。",
            ),
        ],
    },
    data="ner.jsonl",
    guidelines_file="ner.md",
)

SRL = DemoProject(
    name="Who did what 谁做了什么",
    task="srl",
    language="en",
    description=(
        "Everyday sentences with their verbs, senses and semantic roles in PropBank's manner. "
        "日常句子，按 PropBank 的方式标注动词、义项和语义角色。"
    ),
    schema={
        "roles": [
            role.model_dump(mode="json") for role in default_roles() if role.name in DEMO_ROLES
        ]
    },
    data="srl.jsonl",
    guidelines_file="srl.md",
)

PROJECTS = (SENTIMENT, NER, SRL)
"""The demo projects, in the order in which they are made."""


def read_rows(project: DemoProject) -> Iterator[DemoRow]:
    """The project's sentences, every one annotated, languages and labels well mixed."""
    with project.data_path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def read_rolesets() -> list[dict[str, Any]]:
    """The frame inventory of the SRL demo: `{"id", "lemma", "name", "roles": [{"role", "description"}]}`."""
    rolesets: list[dict[str, Any]] = json.loads(
        (_FOLDER / "rolesets.json").read_text(encoding="utf-8")
    )
    return rolesets
