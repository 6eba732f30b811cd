"""What no text has: NUL characters make wrong rows, and files of another kind are refused by their first bytes."""

import bz2
import gzip
import io
import itertools
import lzma
from typing import Any

import pytest

from app.errors import InvalidInput
from app.formats import READERS, ReadOptions, Record, RowProblem, preview


def read(name: str, task: str, data: bytes, **options: Any) -> list[Record | RowProblem]:
    return list(READERS[name].read(io.BytesIO(data), task, ReadOptions(**options)))


@pytest.mark.parametrize(
    ("name", "task", "data"),
    [
        ("csv", "sentiment", b"text,label\nnu\0ll marker,positive\nfine,positive\n"),
        ("csv", "sentiment", b'text,label\n"nu\0ll",positive\nfine,positive\n'),
        ("csv", "sentiment", b"text\tlabel\nnu\0ll marker\tpositive\nfine\tpositive\n"),
        ("csv", "sentiment", b"text,label\nmarker,posi\0tive\nfine,positive\n"),
        ("csv", "sentiment", b"text,label,more\nmarker,positive,\0\nfine,positive,\n"),
        ("text", "sentiment", b"nu\0ll marker\nfine\n"),
        ("jsonl", "sentiment", b'{"text": "nu\0ll"}\n{"text": "fine"}\n'),
        ("jsonl", "sentiment", b'{"text": "nu\\u0000ll"}\n{"text": "fine"}\n'),
        ("conll", "ner", b"nu\0ll O\n\nfine O\n"),
        ("conll2005", "srl", b"nu\0ll -\n\nfine -\n"),
    ],
)
def test_a_nul_is_a_wrong_row_and_never_dropped(name: str, task: str, data: bytes) -> None:
    items = read(name, task, data)
    assert [item.text for item in items if isinstance(item, Record)] == ["fine"]
    problems = [item for item in items if isinstance(item, RowProblem)]
    assert len(problems) == 1
    assert "NUL" in problems[0].message or "surrogate" in problems[0].message


def test_a_nul_in_a_column_name_or_in_json_is_said() -> None:
    with pytest.raises(InvalidInput, match="NUL"):
        read("csv", "sentiment", b"text,la\0bel\nfine,positive\n")
    with pytest.raises(InvalidInput, match="NUL"):
        read("json", "sentiment", b'[{"text": "nu\0ll"}]')


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04garbage",
        b"7z\xbc\xaf\x27\x1c\0",
        gzip.compress(bz2.compress(b"fine\n"), mtime=0),
        bz2.compress(bz2.compress(b"")),
        bz2.compress(lzma.compress(b"fine\n")),
        gzip.compress(gzip.compress(b"fine\n", mtime=0), mtime=0),
        gzip.compress(b"PK\x03\x04garbage", mtime=0),
        b"%PDF-1.7\n",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe0JFIF",
        b"\x7fELF\x02",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1xls",
    ],
    ids=itertools.count(),
)
@pytest.mark.parametrize("encoding", [None, "utf-8", "cp1252"])
def test_a_file_of_another_kind_is_refused_however_short_it_is(
    data: bytes, encoding: str | None
) -> None:
    options = ReadOptions(encoding=encoding)
    for name in ("text", "csv", "jsonl", "json"):
        with pytest.raises(InvalidInput, match="This is not text: the file is a"):
            list(READERS[name].read(io.BytesIO(data), "sentiment", options))
        with pytest.raises(InvalidInput, match="This is not text"):
            preview(io.BytesIO(data), name, "sentiment", options)


@pytest.mark.parametrize(
    "data", [b"PK is a name\n", b"BZh9 is short\n", b"MZ\n", b"7zip\n", b"%PD\n"]
)
def test_words_that_begin_like_such_a_file_are_text(data: bytes) -> None:
    assert len(read("text", "sentiment", data)) == 1
