"""Archives of files: splits and labels come from the names, and what is not read is named."""

import io
import zipfile
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.errors import InvalidInput
from app.formats import READERS, ReadOptions, Record, RowProblem, guess_format, preview
from app.formats.base import Head
from tests.unit.formats.reading import entities


def packed(files: dict[str, str | bytes]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return sink.getvalue()


def read(files: dict[str, str | bytes], task: str = "sentiment", **options: Any) -> list[Any]:
    data = packed(files)
    assert guess_format("a.zip", data, task) == "zip"
    assert preview(io.BytesIO(data), "zip", task, ReadOptions(**options)).encoding == ""
    return list(READERS["zip"].read(io.BytesIO(data), task, ReadOptions(**options)))


def told(items: list[Any]) -> list[tuple[str, Any, str | None]]:
    """(text, label, split) of each."""
    assert all(isinstance(item, Record) for item in items), items
    return [
        (item.text, item.annotation and item.annotation["labels"], item.split) for item in items
    ]


def test_a_folder_for_each_label() -> None:
    items = read(
        {
            "imdb/README": "About it.",
            "imdb/train/pos/0_9.txt": "Fine,\nreally.\n",
            "imdb/train/pos/1_8.txt": "Good.",
            "imdb/train/neg/0_1.txt": "Très mauvais, déjà vu.".encode("cp1252"),
            "imdb/train/unsup/0_0.txt": "So so.",
            "imdb/test/neg/0_2.txt": "Bad.",
            "imdb/train/labeledBow.feat": "9 0:1",
        }
    )
    assert told(items) == [
        ("Bad.", ["neg"], "test"),
        ("Très mauvais, déjà vu.", ["neg"], "train"),
        ("Fine,\nreally.", ["pos"], "train"),
        ("Good.", ["pos"], "train"),
        ("So so.", None, "train"),
    ]
    assert items[0].meta == {"file": "imdb/test/neg/0_2.txt"}
    assert items[0].unused == ("file “imdb/README”", "file “imdb/train/labeledBow.feat”")
    assert items[1].unused == ()


def test_an_empty_text_in_a_folder_is_named_with_its_file() -> None:
    items = read({"pos/a.txt": "Fine.", "pos/b.txt": "\n", "neg/c.txt": "Bad."})
    (wrong,) = [item for item in items if isinstance(item, RowProblem)]
    assert "“pos/b.txt”: The text is empty" in wrong.message


def test_a_file_for_each_split_in_any_format() -> None:
    items = read(
        {
            "set/train.csv": "text,label\nA.,x\n",
            "set/dev.jsonl": '{"text": "B.", "label": "y"}\n',
            "set/my_test.tsv": "text\tlabel\nC.\tx\n",
            "set/README.md": "# Ours",
            "set/own.csv": "text,label,split\nD.,x,test\n",
        }
    )
    assert sorted(told(items)) == [
        ("A.", ["x"], "train"),
        ("B.", ["y"], "validation"),
        ("C.", ["x"], "test"),
        ("D.", ["x"], "test"),
    ]
    assert [item.row for item in items] == [1, 2, 3, 4]
    assert items[0].unused == ("file “set/README.md”",)


def test_a_datasets_folder_of_parquet_with_the_names_of_its_labels() -> None:
    features = {"label": {"names": ["neg", "pos"], "_type": "ClassLabel"}}
    info = {b"huggingface": orjson.dumps({"info": {"features": features}})}
    table = pa.table({"text": ["Fine.", "Bad."], "label": [1, 0]}).replace_schema_metadata(info)
    sink = io.BytesIO()
    pq.write_table(table, sink)
    items = read(
        {
            "README.md": "---\nlicense: mit\n---\n",
            "data/test-00000-of-00001.parquet": sink.getvalue(),
            "data/validation-00000-of-00002.parquet": sink.getvalue(),
        }
    )
    assert told(items)[1:3] == [("Bad.", ["neg"], "test"), ("Fine.", ["pos"], "validation")]


def test_a_wrong_row_is_named_with_its_file() -> None:
    items = read({"train.csv": "text,label\nA.,x\n,y\n", "test.csv": "text,label\nB.,x\n"})
    (wrong,) = [item for item in items if isinstance(item, RowProblem)]
    assert wrong.message == "“train.csv”, row 3: The text is empty."


def test_texts_and_labels_in_two_files() -> None:
    files: dict[str, str | bytes] = {
        "train_text.txt": "It was fine.\nIt was bad.\n",
        "train_labels.txt": "1\n0\n",
        "val_text.txt": "So so.\n",
        "val_labels.txt": "0\n",
        "mapping.txt": "0\tnegative\n1\tpositive\n",
    }
    assert told(read(files)) == [
        ("It was fine.", ["positive"], "train"),
        ("It was bad.", ["negative"], "train"),
        ("So so.", ["negative"], "validation"),
    ]
    with pytest.raises(InvalidInput, match="ends before line 2"):
        read_all(files | {"train_labels.txt": "1\n"})


def read_all(files: dict[str, str | bytes]) -> list[Any]:
    data = io.BytesIO(packed(files))
    return list(READERS["zip"].read(data, "sentiment", ReadOptions()))


SLOTS: dict[str, str | bytes] = {
    "atis/train/seq.in": "fly to new york\nhelp\n",
    "atis/train/seq.out": "O O B-city I-city\nO\n",
    "atis/train/label": "flight\nother\n",
    "atis/test/seq.in": "go to rome\n",
    "atis/test/seq.out": "O O B-city\n",
    "atis/test/label": "flight\n",
}


def test_intents_and_slots_line_by_line() -> None:
    assert told(read(SLOTS)) == [
        ("go to rome", ["flight"], "test"),
        ("fly to new york", ["flight"], "train"),
        ("help", ["other"], "train"),
    ]
    items = read(SLOTS, "ner")
    assert [entities(item) for item in items] == [[("rome", "city")], [("new york", "city")], []]
    assert items[0].split == "test"
    assert items[0].meta == {"class": "flight"}
    wrong = read(SLOTS | {"atis/test/seq.out": "O O\n"}, "ner")[0]
    assert isinstance(wrong, RowProblem)
    assert "“atis/test/seq.in”, row 1" in wrong.message


def test_tables_that_are_called_as_such_files_are_tables() -> None:
    files: dict[str, str | bytes] = {
        "reviews.csv": "text,label\nA.,x\n",
        "labels.csv": "text,label\nB.,y\n",
    }
    assert len(read(files)) == 2


def test_an_archive_of_other_files_is_refused_by_their_names() -> None:
    with pytest.raises(InvalidInput, match=r"No file of the archive .* a\.yaml"):
        read_all({"a.yaml": "key: value\n"})


@pytest.mark.parametrize("name", ["word/document.xml", "a/b.ann", "META-INF/MANIFEST.MF"])
def test_documents_programs_and_brat_are_left_to_others(name: str) -> None:
    head = Head("a.zip", packed({name: "x"}), "", [])
    assert READERS["zip"].sniff(head, "ner") == 0
