"""What is taken out of a zip archive, and what is refused: everything in it may be made by somebody who means harm."""

import io
import struct
import zipfile
from typing import Any

import pytest

from app.errors import InvalidInput
from app.formats import bounds, unzip
from app.formats.unzip import names_in, open_archive


def packed(files: dict[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> io.BytesIO:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return data


def contents(data: io.BytesIO, **options: Any) -> dict[str, bytes]:
    with open_archive(data, **options) as opened:
        return {member.name: opened.open(member).read() for member in opened.members}


def refused(data: io.BytesIO) -> str:
    with pytest.raises(InvalidInput) as caught:
        contents(data)
    return caught.value.message


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_files_come_in_the_order_of_their_names_without_folders_and_litter(method: int) -> None:
    data = packed(
        {
            "b/two.txt": b"two",
            "b/": b"",
            "a.txt": b"one",
            "__MACOSX/b/._two.txt": b"\0",
            "b/.DS_Store": b"\0",
            "Thumbs.db": b"\0",
        },
        method=method,
    )
    assert contents(data) == {"a.txt": b"one", "b/two.txt": b"two"}
    with open_archive(data) as opened:
        first, second = opened.members
        assert (second.folder, second.stem, second.ending) == ("b", "b/two", ".txt")
        assert (first.folder, first.stem, first.ending) == ("", "a", ".txt")


def test_a_file_can_be_sought_in_and_what_was_read_twice_counts_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounds, "MAX_UNPACKED", 1000)
    with open_archive(packed({"a.txt": b"x" * 900})) as opened:
        stream = opened.open(opened.members[0])
        for _again in range(3):
            assert stream.read() == b"x" * 900
            stream.seek(0)


def test_all_files_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MAX_UNPACKED", 1000)
    assert contents(packed({"a.txt": b"x" * 600}))
    assert "more than" in refused(packed({"a.txt": b"x" * 600, "b.txt": b"x" * 600}))


def test_a_file_that_unpacks_to_many_times_its_size_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounds, "_ANY_RATIO", 1 << 16)
    assert "times its size" in refused(packed({"a.txt": bytes(1 << 20)}))


def test_a_size_that_is_not_true_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytearray(packed({"a.txt": b"x" * 600}).getvalue())
    entry = data.index(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = struct.pack("<I", 5)
    assert "damaged" in refused(io.BytesIO(bytes(data)))


def test_too_many_files_are_refused_before_they_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unzip, "MAX_FILES", 3)
    assert len(contents(packed({f"{n}.txt": b"x" for n in range(3)}))) == 3
    monkeypatch.setattr(zipfile, "ZipInfo", None)  # there is no object for any
    data = io.BytesIO(_many(4))
    assert "more than 3 files" in refused(data)


def test_a_list_of_files_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unzip, "MAX_DIRECTORY", 1000)
    assert "split it" in refused(packed({f"{'n' * 200}{n}.txt": b"x" for n in range(10)}))


@pytest.mark.parametrize("name", ["more.zip", "more.gz", "more.txt"])
def test_an_archive_in_an_archive_is_refused_whatever_its_name_is(name: str) -> None:
    inner = b"\x1f\x8b\x08" if name.endswith("gz") else packed({"a.txt": b"x"}).getvalue()
    assert f"“{name}” in the archive is" in refused(packed({"a.txt": b"x", name: inner}))


def test_a_file_behind_a_password_is_named() -> None:
    data = bytearray(packed({"secret.txt": b"x"}).getvalue())
    entry = data.index(b"PK\x01\x02")
    data[entry + 8] |= 1
    assert "“secret.txt” in the archive is locked" in refused(io.BytesIO(bytes(data)))


def test_a_way_of_packing_that_wants_gigabytes_is_refused() -> None:
    assert "“a.txt”" in refused(packed({"a.txt": b"x"}, method=zipfile.ZIP_LZMA))


def test_two_files_of_one_name_are_refused() -> None:
    data = packed({"a.txt": b"x", "b.txt": b"y"}).getvalue().replace(b"b.txt", b"a.txt")
    assert "2 files “a.txt”" in refused(io.BytesIO(data))


def test_names_are_words_and_links_are_no_files() -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        file.writestr("../../etc/passwd", b"x")
        link = zipfile.ZipInfo("link.txt")
        link.external_attr = 0o120777 << 16
        file.writestr(link, b"/etc/passwd")
    assert contents(data) == {"../../etc/passwd": b"x"}


def test_names_without_a_declared_encoding_are_told_by_the_language() -> None:
    name = "正面/评论一号.txt"
    raw = name.encode("gbk")
    data = packed({"a" * len(raw): b"x"}).getvalue()
    old = io.BytesIO(data.replace(b"a" * len(raw), raw))
    assert list(contents(old, language="zh")) == [name]
    assert list(contents(packed({name: b"x"}))) == [name]


@pytest.mark.parametrize("cut", [5, 40, 70, 100])
def test_half_an_archive_is_damaged(cut: int) -> None:
    data = packed({"a.txt": b"some text"}).getvalue()
    assert "damaged" in refused(io.BytesIO(data[:cut]))


def test_a_wrong_check_sum_is_damage() -> None:
    data = bytearray(packed({"a.txt": b"some text"}, method=zipfile.ZIP_STORED).getvalue())
    data[data.index(b"some")] ^= 1
    assert "damaged" in refused(io.BytesIO(bytes(data)))


def test_an_empty_archive_holds_no_files() -> None:
    assert "no files" in refused(packed({}))


def test_the_beginning_shows_names() -> None:
    data = packed({"a.txt": b"x" * 5000, "f/b.ann": b"T1", "__MACOSX/._a": b""}).getvalue()
    assert names_in(data) == ["a.txt", "f/b.ann"]
    assert names_in(b"text") == []


def _many(count: int) -> bytes:
    """An archive of files without content, made by hand."""
    entry = b"PK\x01\x02" + bytes(24) + struct.pack("<H", 1) + bytes(16) + b"a"
    end = b"PK\x05\x06" + struct.pack("<4H2IH", 0, 0, count, count, len(entry) * count, 0, 0)
    return entry * count + end
