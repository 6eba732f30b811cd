"""Small files that stand for much: they are refused, and never in memory as a whole."""

import contextlib
import gzip
import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import InvalidInput
from app.formats import READERS, Record, RowProblem, bounds, preview
from app.formats.base import ReadOptions
from app.formats.frames import read_frames

MEMORY = 1000 << 20
"""Bytes of address space beyond what the imports take that reading any of these files may need."""
_CHILD = """
import resource, sys
import pyarrow.compute, pyarrow.parquet
from app.errors import InvalidInput
from app.formats import READERS
from app.formats.base import ReadOptions
from app.formats.frames import read_frames
with open("/proc/self/statm") as stream:
    used = int(stream.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[3]),) * 2)
rows = problems = 0
try:
    with open(sys.argv[2], "rb") as stream:
        items = (
            read_frames(stream, sys.argv[2])
            if sys.argv[1] == "frames"
            else READERS[sys.argv[1]].read(stream, "sentiment", ReadOptions())
        )
        for item in items:
            rows += 1
    print("read", rows)
except InvalidInput as error:
    print("refused", rows, error.message)
"""


def parquet(path: Path, table: pa.Table, **options: object) -> None:
    pq.write_table(table, path, **options)


def long_text_said_often(path: Path) -> None:
    words = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000, pa.int32()), ["x" * 900_000])
    parquet(path, pa.table({"text": words}), compression="zstd")


def huge_page(path: Path) -> None:
    table = pa.table({"text": ["x" * (80 << 20)]})
    parquet(path, table, compression="zstd", use_dictionary=False)


def row_of_a_long_list(path: Path) -> None:
    values = pa.array([0], pa.int8()).take(pa.array([0] * 33_000_000, pa.int32()))
    lists = pa.ListArray.from_arrays(pa.array([0, len(values)], pa.int32()), values)
    parquet(path, pa.table({"text": ["a"], "scores": lists}), compression="zstd")


def strings_in_lists(path: Path) -> None:
    words = pa.DictionaryArray.from_arrays(pa.array([0] * 2_000_000, pa.int32()), ["x" * 9_000])
    lists = pa.ListArray.from_arrays(pa.array([0, 1_000_000, 2_000_000], pa.int32()), words)
    parquet(path, pa.table({"text": ["a", "b"], "words": lists}), compression="zstd")


def gzip_of_one_line(path: Path) -> None:
    with gzip.open(path, "wb", compresslevel=9) as sink:
        for _ in range(150):
            sink.write(b"x" * (1 << 20))


def one_line(path: Path) -> None:
    with path.open("wb") as sink:
        for _ in range(100):
            sink.write("语".encode() * (1 << 19))


def quote_without_end(path: Path) -> None:
    with path.open("wb") as sink:
        sink.write(b'text,label\n"')
        for _ in range(60):
            sink.write(b"word word word word\n" * 50_000)


def json_of_brackets(path: Path) -> None:
    with path.open("wb") as sink:
        sink.write(b"[")
        for _ in range(8):
            sink.write(b"[],{}," * 200_000)
        sink.write(b"1]")


def json_in_json(path: Path) -> None:
    path.write_bytes(b'[{"text": "a", "label": ' + b"[[],[]," * 5_000_000)


def deep_json(path: Path) -> None:
    path.write_bytes(b'[{"text": "a", "meta": ' + b"[" * 100_000 + b"]" * 100_000 + b"}]")


def zip_of_spaces(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for n in range(100):
            archive.writestr(f"{n}.xml", b"<frameset>" + b" " * (7 << 20) + b"</frameset>")


def tar_of_one_header(path: Path) -> None:
    with gzip.open(path, "wb") as sink, tarfile.open(fileobj=sink, mode="w") as archive:
        for n in range(60_000):
            archive.addfile(tarfile.TarInfo(f"{n}.txt"))


@pytest.mark.parametrize(
    ("reader", "make"),
    [
        ("parquet", long_text_said_often),
        ("parquet", huge_page),
        ("parquet", row_of_a_long_list),
        ("parquet", strings_in_lists),
        ("text", gzip_of_one_line),
        ("csv", gzip_of_one_line),
        ("jsonl", gzip_of_one_line),
        ("text", one_line),
        ("csv", one_line),
        ("csv", quote_without_end),
        ("json", json_of_brackets),
        ("json", json_in_json),
        ("json", one_line),
        ("jsonl", json_in_json),
        ("json", deep_json),
        ("jsonl", deep_json),
        ("frames", zip_of_spaces),
        ("frames", tar_of_one_header),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is measured by /proc")
def test_a_bomb_needs_little_memory(reader: str, make: object, tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    make(path)  # type: ignore[operator]
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, reader, str(path), str(MEMORY)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    said = done.stdout.split("\n")
    assert done.returncode == 0, f"{path.stat().st_size:,} bytes: {done.stderr[-1500:]}"
    assert said[0].startswith(("refused", "read")), said


def test_a_preview_of_a_bomb_is_quick_and_says_what_is_wrong(tmp_path: Path) -> None:
    for reader, make in (("text", gzip_of_one_line), ("parquet", huge_page)):
        path = tmp_path / reader
        make(path)
        with path.open("rb") as stream:
            found = preview(stream, reader, "sentiment", ReadOptions())
        assert found.records == []
        assert found.problems[-1].message


def test_a_zip_with_more_files_than_frames_have_is_not_listed(tmp_path: Path) -> None:
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for n in range(66_000):
            archive.writestr(f"{n}.xml", b"")
    with path.open("rb") as stream, pytest.raises(InvalidInput, match="more than 50,000 files"):
        list(read_frames(stream, path.name))


def test_an_encrypted_zip_is_refused_in_words() -> None:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("give.xml", b"<frameset/>")
    data = bytearray(sink.getvalue())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + flags] |= 1
    with pytest.raises(InvalidInput, match="encrypted"):
        list(read_frames(io.BytesIO(bytes(data)), "frames.zip"))


# -- honest files still are what they were ---------------------------------------------------------


def read(name: str, data: bytes, task: str = "sentiment") -> list[Record | RowProblem]:
    return list(READERS[name].read(io.BytesIO(data), task, ReadOptions()))


def test_a_text_that_repeats_itself_may_be_packed_small() -> None:
    data = gzip.compress(b"the same line again\n" * 500_000)
    assert len(read("text", data)) == 500_000


@given(
    st.lists(
        st.dictionaries(
            st.text(max_size=5),
            st.recursive(
                st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=20),
                lambda inner: st.lists(inner, max_size=3),
                max_leaves=5,
            ),
            max_size=3,
        ),
        max_size=5,
    ),
    st.sampled_from(["array", "lines", "pretty", "object"]),
    st.integers(1, 40),
)
@settings(max_examples=150, deadline=None)
def test_json_is_read_in_pieces_as_in_one(
    rows: list[dict[str, object]], layout: str, piece: int
) -> None:
    import json

    from app.formats import json_stream

    before = json_stream._PIECE
    json_stream._PIECE = piece
    try:
        text = {
            "array": json.dumps(rows),
            "pretty": json.dumps(rows, indent=2, ensure_ascii=False),
            "lines": "\n".join(map(json.dumps, rows)),
            "object": json.dumps({"version": 1, "data": rows}),
        }[layout]
        if layout == "lines" and len(rows) < 2:
            return
        found = [item.value for item in json_stream.read_values(io.StringIO(text), "utf-8")]
        assert found == rows
    finally:
        json_stream._PIECE = before


def test_a_large_object_holds_its_rows_in_an_array(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MAX_ROW", 1 << 17)
    rows = [{"text": f"Sentence {n}.", "label": "a"} for n in range(20_000)]
    data = orjson.dumps({"about": {"n": [1, [2]]}, "scores": [1, 2], "rows": rows, "end": None})
    found = read("json", data)
    assert len(found) == 20_000
    assert all(isinstance(item, Record) for item in found)


@pytest.mark.parametrize(
    "content",
    [b"[{}, ", b'[{"text": "a"}] x', b'{"data": [1, 2', b"[1 2]", b"nothing", b"", b"[", b'{"a"'],
)
def test_json_that_is_cut_or_wrong_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidInput):
        read("json", content)


@pytest.mark.parametrize("name", sorted(READERS))
@given(data=st.binary(max_size=400), head=st.sampled_from([b"", b"PAR1", b"[{", b"\x1f\x8b\x08\0"]))
@settings(max_examples=60, deadline=None)
def test_no_bytes_at_all_surprise_a_reader(name: str, data: bytes, head: bytes) -> None:
    for task in READERS[name].tasks:
        with contextlib.suppress(InvalidInput):
            read(name, head + data, task)


_CELLS = st.sampled_from(
    ["1", "²", "-", "_", "*", "(A0*", "*)", "(V*)", "give.01", "Y", "O", "B-PER", "word", "x|y:1-²",
     "A0:1-99999999999999999999", "# text = \"a", "# tokens = [[1]]", "[", "{\"spans\": [[1e5, 2, 3]]}",
     "{\"a\": {\"b\": 1}}", "9" * 40, "-0", "\u2028", "\x85", "\x0c"]
)  # fmt: skip


@pytest.mark.parametrize("name", sorted(READERS))
@given(
    lines=st.lists(st.lists(_CELLS, max_size=16).map("\t".join), max_size=8), columns=st.booleans()
)
@settings(max_examples=80, deadline=None)
def test_ragged_lines_are_said_to_be_wrong(name: str, lines: list[str], columns: bool) -> None:
    head = ["# global.columns = ID FORM UP:PRED UP:ARGHEADS"] if columns else ["text\tlabel"]
    data = "\n".join([*head, *lines]).encode()
    for task in READERS[name].tasks:
        with contextlib.suppress(InvalidInput):
            read(name, data, task)


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["a", "", "\ud800", "\x00", "label", "[", '{"entities": 1}', "1" * 5000]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["start", "end", "label", "text", "role", "from", "value", "occurrence",
                         "spans", "predicates", "arguments", "labels", "content", "result", "type", "choices",
                         "tags", "tag", "classname", "start_offset", "points", "pos", "entity_index"]),
        inner,
        max_size=4,
    ),
    max_leaves=8,
)  # fmt: skip
_ROWS = st.dictionaries(
    st.sampled_from(["text", "label", "labels", "tokens", "spans", "meta", "split", "inputs", "id",
                     "annotation", "messages", "conversations", "instruction", "output", "input", "data",
                     "annotations", "answer", "accept", "_task_hash", "annotator", "annotation_id", "content",
                     "classifications", "verbs", "words", "ner_tags", "prompt", "completion", "entities"]),
    _VALUES | st.just("give it"),
    max_size=6,
)  # fmt: skip


@given(row=_ROWS, name=st.sampled_from(["jsonl", "json"]))
@settings(max_examples=400, deadline=None)
def test_rows_of_any_shape_are_read_or_refused(row: dict[str, object], name: str) -> None:
    import json

    data = json.dumps([row] if name == "json" else row).encode()
    for task in READERS[name].tasks:
        try:
            for item in read(name, data, task):
                assert isinstance(item, Record | RowProblem)
        except InvalidInput:
            pass


def test_times_and_decimals_of_parquet_are_told_as_texts() -> None:
    far = pa.array([2**62, 1], pa.timestamp("us", tz="UTC"))
    exact = pa.array([1, 1_000_000_001], pa.timestamp("ns"))
    table = pa.table({"text": ["a", "b"], "far": far, "exact": exact})
    sink = io.BytesIO()
    pq.write_table(table, sink)
    found = read("parquet", sink.getvalue())
    assert all(isinstance(item, Record) for item in found)
    assert "1.000000001" in str(found[1].meta["exact"]).replace(":01.", ":1.")  # type: ignore[union-attr]
