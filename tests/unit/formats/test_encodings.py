"""Prose of one to three lines, in the encodings that its language was written in, is read as it was meant."""

import bz2
import codecs
import gzip
import io
import lzma

import pytest

from app.errors import InvalidInput
from app.formats import READERS, ReadOptions, Record, RowProblem, bounds, guess_format
from app.formats.encoding import detect, detect_in

PROSE = {
    ("cp1252",): [
        "Très déçu.",
        "Le repas était très bon et l’équipe adorable.",
        "La chambre n'était pas prête à midi.\nÇa a pris des heures, où est le gérant ?",
        "Não recomendo, péssimo atendimento.",
        "A comida é ótima e a decoração também.\nVoltarei com certeza no verão.",
        "El niño lloró toda la noche, ¡qué mañana!",
        "La habitación tenía baño propio.\nNo volveré jamás.\nTodo muy sucio, además.",
        "Das Frühstück war schön, aber die Straße zu laut.",
        "Größe passt, würde ich wieder kaufen.",
        "It’s a lovely place – we’ll be back.",
    ],
    ("cp1254", "iso8859-9"): [
        "Oda çok güzeldi, teşekkürler.",
        "Garson kabaydı, yemekler soğuktu.\nBir daha gelmeyiz.",
        "Ürün bozuk çıktı.",
    ],
    ("cp1250", "iso8859-2"): [
        "Pokój był świetny, obsługa bardzo miła.",
        "Jedzenie okropne, nie polecam.\nŁazienka brudna, śmierdziało.",
        "Dziękuję, wszystko w porządku.",
        "Pokoj byl čistý, ale snídaně žádná sláva.",
    ],
    ("cp1251", "koi8-r"): [
        "Отличный сериал!",
        "Очень понравилось, всем советую.",
        "Плохо.\nНомер грязный, персонал грубый.\nБольше не приедем.",
    ],
    ("cp949",): [
        "영화가 정말 재미있어요.",
        "음식이 식어서 나왔습니다.\n다시는 안 갈 거예요.",
        "최고!",
    ],
    ("shift_jis", "euc_jp"): [
        "とても美味しかったです。",
        "部屋は狭いですが、駅から近くて便利でした。\nまた行きたいです。",
        "映画の結末に感動しました。",
    ],
    ("gb18030",): [
        "这家店的汤非常好喝。",
        "房间太小了，隔音也不好。\n不会再来。",
        "差评！",
        "屏幕碎了，客服态度恶劣。",
    ],
    ("big5", "gb18030"): [
        "這家餐館的湯非常好喝，服務也很周到。",
        "房間太小了。\n下次不會再來了。",
    ],
    ("cp1256", "iso8859-6"): [
        "كان الطعام لذيذا جدا والخدمة ممتازة.",
        "الغرفة نظيفة والموظفون لطفاء، لكن السعر مرتفع قليلا.",
    ],
    ("iso2022_jp",): ["この店の料理はとても美味しいです。\nサービスも良かった。"],
    ("iso2022_kr",): ["영화가 정말 재미있어요."],
    ("utf-16-le", "utf-16-be"): [
        "Nice place, good coffee.",
        "Très bon café, déjà goûté.",
        "Отличный сериал, советую.",
        "这家店的汤非常好喝。",
        "とても美味しかったです。",
        "영화가 정말 재미있어요.",
    ],
}
CASES = [(e, text) for encodings, texts in PROSE.items() for e in encodings for text in texts]


@pytest.mark.parametrize(("encoding", "prose"), CASES)
def test_short_prose_is_read_as_it_was_meant(encoding: str, prose: str) -> None:
    for text in (
        prose,
        prose.replace("\n", "\r\n"),
        "text\tlabel\n" + prose.replace("\n", " ") + "\tgood\n",
    ):
        data = text.encode(encoding)
        assert data.decode(detect(data).encoding) == text
        assert data.decode(detect(data, "en").encoding) == text


def test_a_short_text_with_two_meanings_is_a_guess_that_the_language_settles() -> None:
    data = "Ñame".encode("cp1252")  # Cyrillic С before Latin letters, Polish Ń …
    assert not detect(data).is_certain
    assert data.decode(detect(data, "es").encoding) == "Ñame"
    long = "Le repas était très bon, déjà la deuxième fois.".encode("cp1252")
    assert detect(long).is_certain
    assert detect_in(io.BytesIO(gzip.compress(long))).is_certain


def test_words_of_two_languages_share_an_encoding() -> None:
    assert detect("español\nSão Paulo\n".encode("cp1252")).encoding == "cp1252"


@pytest.mark.parametrize("line", ["# -*- coding: {} -*-", "# vim: set fileencoding={} :"])
def test_a_comment_declares_the_encoding(line: str) -> None:
    data = (line.format("cp866") + "\nнеттоварвес\n").encode("cp866")
    assert detect(data).encoding == "cp866"
    wrong = (line.format("klingon") + "\nНе рекомендую никому.\n").encode("cp1251")
    assert detect(wrong).encoding == "cp1251"


def test_a_few_damaged_bytes_do_not_change_the_encoding() -> None:
    for text, encoding in (
        ("这家店的汤非常好喝，服务也很周到。\n" * 30, "gb18030"),
        ("Nous avons été reçus comme des rois.\n" * 30, "utf-8"),
    ):
        data = text.encode(encoding)
        assert detect(data[:41] + b"\xff" + data[42:]).encoding == encoding


def test_bytes_that_are_not_utf_16_are_named() -> None:
    data = codecs.BOM_UTF16_LE + "fine\n".encode("utf-16-le") + b"\x00\xd8\n\x00" + b"o\x00k\x00"
    items = list(READERS["text"].read(io.BytesIO(data), "sentiment", ReadOptions()))
    assert [type(item) for item in items] == [Record, RowProblem, Record]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_packed_files_are_read(pack: object) -> None:
    data = pack(b"text,label\nfine,good\n") + pack(b"poor,bad\n")  # type: ignore[operator]
    assert (
        guess_format("a.csv." + {"lzma": "xz"}.get(pack.__module__, "gz"), data, "sentiment")
        == "csv"
    )
    items = list(READERS["csv"].read(io.BytesIO(data), "sentiment", ReadOptions()))
    assert [item.text for item in items if isinstance(item, Record)] == ["fine", "poor"]
    with pytest.raises(InvalidInput, match="damaged"):
        list(READERS["csv"].read(io.BytesIO(data[:30]), "sentiment", ReadOptions()))


@pytest.mark.parametrize("pack", [bz2.compress, lzma.compress])
def test_packed_files_are_bounded(pack: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "_ANY_RATIO", 1 << 20)
    data = pack(b"a line of text\n" * 500_000)  # type: ignore[operator]
    with pytest.raises(InvalidInput, match="times its size"):
        list(READERS["text"].read(io.BytesIO(data), "sentiment", ReadOptions()))
