"""Workbooks: one sheet is a table, the others are named; what asks for too much is refused."""

import gzip
import io
import zipfile
from typing import Any

import pytest

from app.errors import InvalidInput
from app.formats import READERS, TABLES, ReadOptions, Record, RowProblem, guess_format, workbook

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_ODS = """<?xml version="1.0"?><office:document-content
 xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:spreadsheet>
<table:table table:name="One">{rows}</table:table></office:spreadsheet></office:body></office:document-content>"""


def archive(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as book:
        for name, data in files.items():
            book.writestr(name, data)
    return buffer.getvalue()


def cell(place: str, value: object) -> str:
    if isinstance(value, str):
        return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{value}</t></is></c>'
    if isinstance(value, bool):
        return f'<c r="{place}" t="b"><v>{int(value)}</v></c>'
    return f'<c r="{place}"><v>{value}</v></c>'


def sheet_of(rows: list[list[object]], first: int = 1) -> str:
    lines = [
        f'<row r="{n}">'
        + "".join(cell(f"{chr(65 + i)}{n}", v) for i, v in enumerate(row))
        + "</row>"
        for n, row in enumerate(rows, first)
    ]
    return f'<worksheet xmlns="{_MAIN}"><sheetData>{"".join(lines)}</sheetData></worksheet>'


def xlsx(sheets: dict[str, str]) -> bytes:
    numbers = range(1, len(sheets) + 1)
    names = "".join(
        f'<sheet name="{name}" sheetId="{n}" r:id="rId{n}"/>' for n, name in enumerate(sheets, 1)
    )
    targets = "".join(
        f'<Relationship Id="rId{n}" Type="{_RELS}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n in numbers
    )
    return archive(
        {
            "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"/>',
            "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
            f'Type="{_RELS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
            "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELS}"><sheets>{names}</sheets></workbook>',
            "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">{targets}</Relationships>',
        }
        | {f"xl/worksheets/sheet{n}.xml": data for n, data in enumerate(sheets.values(), 1)}
    )


def read(data: bytes, **options: Any) -> list[Record | RowProblem]:
    return list(READERS["excel"].read(io.BytesIO(data), "sentiment", ReadOptions(**options)))


REVIEWS = sheet_of(
    [["text", "label", "n"], ["fine, warm", "good", 7], ["poor", 1, 0.5], ["", "bad", 1]]
)
BOOK = xlsx({"Reviews": REVIEWS, "Notes": sheet_of([["text"], ["by hand"]])})


def test_the_first_sheet_is_read_and_the_others_are_named() -> None:
    assert guess_format("a.xlsx", BOOK, "sentiment") == "excel"
    assert guess_format("a", BOOK, "sentiment") == "excel"
    first, second, third = read(BOOK)
    assert isinstance(first, Record)
    assert (first.text, first.annotation, first.meta, first.row) == (
        "fine, warm",
        {"labels": ["good"]},
        {"n": 7},
        2,
    )
    assert first.unused == ("sheet “Notes”",)
    assert isinstance(second, Record)
    assert (second.annotation, second.meta, second.unused) == ({"labels": ["1"]}, {"n": 0.5}, ())
    assert isinstance(third, RowProblem)
    assert third.row == 4


def test_a_sheet_can_be_named() -> None:
    (item,) = read(BOOK, sheet="Notes")
    assert isinstance(item, Record)
    assert (item.text, item.unused) == ("by hand", ("sheet “Reviews”",))
    with pytest.raises(InvalidInput, match="There are: Reviews, Notes"):
        read(BOOK, sheet="Other")


def test_numbers_and_empty_cells_around_a_table() -> None:
    table = (
        sheet_of([["文本", "标签"], [2024, True]], first=4)
        .replace('r="A', 'r="C')
        .replace('r="B', 'r="D')
    )
    (item,) = read(xlsx({"A": table}))
    assert isinstance(item, Record)
    assert (item.text, item.annotation, item.row) == ("2024", {"labels": ["True"]}, 5)


def test_open_document_and_packed_workbooks() -> None:
    def ods_row(*texts: str) -> str:
        cells = "".join(
            f'<table:table-cell office:value-type="string"><text:p>{t}</text:p></table:table-cell>'
            for t in texts
        )
        return f"<table:table-row>{cells}</table:table-row>"

    data = archive(
        {
            "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
            "META-INF/manifest.xml": "<manifest:manifest xmlns:manifest="
            '"urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>',
            "content.xml": _ODS.format(rows=ods_row("text", "label") + ods_row("fine", "good")),
        }
    )
    assert guess_format("a.ods", data, "ner") == "excel"
    assert guess_format("a.ods.gz", gzip.compress(data), "ner") == "excel"
    for packed in (data, gzip.compress(data)):
        (item,) = read(packed)
        assert isinstance(item, Record)
        assert (item.text, item.annotation) == ("fine", {"labels": ["good"]})


def test_columns_of_a_workbook_can_be_shown() -> None:
    table = TABLES["excel"](io.BytesIO(BOOK), ReadOptions())
    assert table.columns == ["text", "label", "n"]


@pytest.mark.parametrize(
    "data",
    [
        xlsx({"A": f'<worksheet xmlns="{_MAIN}"><sheetData><row r="1">{cell("A1", "a")}</row>'
                   f'<row r="1048576">{cell("XFD1048576", "b")}</row></sheetData></worksheet>'}),
        archive({"xl/workbook.xml": "<workbook/>"}),
        archive({"word/document.xml": "<document/>"}),
        b"PK\x03\x04garbage",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1garbage",
        BOOK[:400],
        BOOK[:-30],
        b"text,label\n",
        b"",
        xlsx({}),
        xlsx({"A": sheet_of([])}),
    ],
)  # fmt: skip
def test_what_is_no_workbook_or_asks_for_too_much_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        read(data)


def test_a_workbook_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "_MAX_UNPACKED", 1000)
    with pytest.raises(InvalidInput, match="too large"):
        read(BOOK)


def test_a_reader_that_stops_early_leaves_no_process() -> None:
    import psutil

    many = xlsx({"A": sheet_of([["text", "label"], *[[f"text {n}", "a"] for n in range(30_000)]])})
    before = {child.pid for child in psutil.Process().children()}
    reading = READERS["excel"].read(io.BytesIO(many), "sentiment", ReadOptions())
    next(reading)
    reading.close()  # type: ignore[attr-defined]
    assert {child.pid for child in psutil.Process().children()} <= before
