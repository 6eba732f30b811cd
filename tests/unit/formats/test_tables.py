"""Tables as people have them: header rows in two languages or none, quotation marks gone wrong, labels in one cell."""

import io
from typing import Any

import pytest

from app.errors import InvalidInput
from app.formats import READERS, ReadOptions, Record, RowProblem, guess_format, preview
from app.formats.tables import find_separator


def read(data: str, task: str = "sentiment", **options: Any) -> list[Record | RowProblem]:
    return list(READERS["csv"].read(io.BytesIO(data.encode()), task, ReadOptions(**options)))


def texts(items: list[Record | RowProblem]) -> list[str]:
    return [item.text for item in items if isinstance(item, Record)]


def labels(items: list[Record | RowProblem]) -> list[list[str] | None]:
    return [
        item.annotation["labels"] if item.annotation else None
        for item in items
        if isinstance(item, Record)
    ]


def problems(items: list[Record | RowProblem]) -> list[tuple[int, str]]:
    return [(item.row, item.message) for item in items if isinstance(item, RowProblem)]


@pytest.mark.parametrize(
    "header",
    [
        "text,label",
        "Review Text,Sentiment",
        "文本,标签",
        "评论内容,情感倾向",
        "內容,類別",
        "utterance,intent",
    ],
)
def test_a_header_row_is_known_by_its_names(header: str) -> None:
    items = read(f"{header}\nslow and cold,bad\nquick and warm,good\n")
    assert texts(items) == ["slow and cold", "quick and warm"]
    assert labels(items) == [["bad"], ["good"]]


@pytest.mark.parametrize(
    "table",
    [
        "phrase,mood\nThe waiter was slow and rude.,1\nEverything was lovely.,0\n",
        "话语,心情\n这家店的服务真的很好，下次还来。,正面\n等了很久才上菜，太失望了。,负面\n",
        "phrase;x\nThe waiter was slow and rude.;a\n" + "It was a lovely evening.;b\n" * 6,
    ],
)
def test_a_header_of_unknown_names_is_told_from_the_data(table: str) -> None:
    items = read(table)
    assert len(items) == len(table.splitlines()) - 1
    assert all(isinstance(item, Record) and item.annotation for item in items)


@pytest.mark.parametrize(
    "table",
    [
        "slow soup,bad\nwarm soup,good\ncold soup,bad\n",
        "1,很快，味道好\n0,太慢了\n",
        "The waiter was slow and rude.,bad\nEverything was lovely.,good\n",
        "好吃,正面\n不好吃,负面\n很好吃,正面\n",
        "What is this?,question\nStop it.,order\nWho are you?,question\n",
    ],
)
def test_a_first_row_of_data_is_an_example(table: str) -> None:
    assert len(texts(read(table))) == len(table.splitlines())


def test_a_header_that_is_only_guessed_is_named() -> None:
    items = read("phrase,mood\nslow soup here,bad\nwarm soup,good\n")
    assert isinstance(items[0], Record)
    assert any("phrase, mood" in name for name in items[0].unused)
    assert not items[1].unused  # type: ignore[union-attr]
    assert texts(read("phrase,mood\na b,bad\nc d,good\n", has_header=False))[0] == "phrase"


def test_an_unclosed_quotation_mark_costs_the_row_where_it_opened() -> None:
    items = read('text,label\n"good",pos\n"not closed,neg\nfine,pos\n"late, but fine",neg\n')
    assert texts(items) == ["good", "fine", "late, but fine"]
    assert [row for row, _message in problems(items)] == [3]
    assert "not closed" in problems(items)[0][1]


def test_an_unclosed_quotation_mark_does_not_take_in_the_rest_of_the_file() -> None:
    items = read('text,label\n"open,neg\n' + "fine,pos\n" * 300)
    assert [row for row, _message in problems(items)] == [2]
    assert len(texts(items)) == 300


def test_the_lines_of_a_broken_cell_are_no_rows() -> None:
    items = read('text,label\n"say "hi"\nthen, left\nbye",pos\nfine,neg\n')
    assert texts(items) == ["fine"]
    assert [row for row, _message in problems(items)] == [2]
    assert "Rows 2 to 4" in problems(items)[0][1]


def test_backslashes_before_quotation_marks() -> None:
    items = read('text,label\n"say \\"hi\\" to me","pos"\n"a \\\\ b",neg\n')
    assert texts(items) == ['say "hi" to me', "a \\ b"]
    # By RFC 4180 a backslash is only a backslash.
    assert texts(read('text,label\n"C:\\dir\\",pos\n"a ""b""",neg\n')) == ["C:\\dir\\", 'a "b"']
    late = "text,label\n" + "fine,pos\n" * 20_000 + '"say \\"hi\\" to me",pos\nfine,neg\n'
    items = read(late)
    assert len(texts(items)) == 20_001
    assert [row for row, _message in problems(items)] == [20_002]


def test_a_bare_quotation_mark_is_no_quote() -> None:
    assert texts(read('text,label\n5" screen,pos\nhe said "no",neg\n')) == [
        '5" screen',
        'he said "no"',
    ]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (
            'text\tlabel\n"two\nlines"\tpos\n"a ""q"" b"\tneg\nplain\tpos\n',
            ["two\nlines", 'a "q" b', "plain"],
        ),
        ('"text"\t"label"\n"one"\t"pos"\n"two"\t"neg"\n', ["one", "two"]),
        ('text\tlabel\n"Great" they said\tpos\nfine\tneg\n', ['"Great" they said', "fine"]),
        ('text\tlabel\n"Great"\tpos\nfine\tneg\n', ['"Great"', "fine"]),
        ('text\tlabel\n" open\tpos\nend "\tneg\n', ['" open', 'end "']),
    ],
)
def test_quotation_marks_of_tsv(table: str, expected: list[str]) -> None:
    assert texts(read(table)) == expected


def test_excel_says_what_the_separator_is() -> None:
    items = read("\ufeffsep=;\r\ntext;label\r\nwell, well;pos\r\n")
    assert texts(items) == ["well, well"]
    assert items[0].row == 3


def test_the_delimiter_is_the_one_that_makes_even_rows() -> None:
    items = read("text;label\ngood, really good;pos\nbad, so, so bad;neg\n")
    assert texts(items) == ["good, really good", "bad, so, so bad"]


def test_ragged_rows_are_named_and_empty_cells_too_many_are_none() -> None:
    items = read("text,label\nfine,pos,\nwell, well,neg\nonly\n")
    assert texts(items) == ["fine"]
    assert [row for row, _message in problems(items)] == [3, 4]


def test_a_line_separator_within_a_cell_ends_no_row() -> None:
    assert texts(read("text,label\na\u2028b,pos\nc\x85d\x0ce,neg\n")) == ["a\u2028b", "c\x85d\x0ce"]


def test_labels_of_pandas_are_those_of_json() -> None:
    items = read("text,label\na,1.0\nb,0.0\nc,\nd,nan\ne,2.5\n")
    assert labels(items) == [["1"], ["0"], None, None, ["2.5"]]
    assert labels(read("text,label\na,1.0\n", label_map={"1.0": "pos"})) == [["pos"]]


def test_several_labels_in_a_cell() -> None:
    table = "text,label\na,joy|fear\nb,joy\nc,fear\n"
    assert labels(read(table)) == [["joy", "fear"], ["joy"], ["fear"]]
    named = read("text,label\na,joy#fear\nb,joy\n", label_separator="#")
    assert labels(named) == [["joy", "fear"], ["joy"]]


@pytest.mark.parametrize(
    ("cells", "separator"),
    [
        ({"joy;fear", "joy", "fear"}, ";"),
        ({"a,b", "b,c", "a,c"}, ","),
        ({"喜悦、恐惧", "喜悦", "恐惧"}, "、"),
        ({"sci/tech", "sports"}, None),
        ({"sci/tech", "sci"}, None),
        ({"C#", "C"}, None),
        ({'["a", "b"]', "a", "b"}, None),
        ({"joy", "fear"}, None),
    ],
)
def test_a_separator_is_taken_only_where_the_column_proves_it(
    cells: set[str], separator: str | None
) -> None:
    assert find_separator(cells) == separator


def test_links_and_ids_are_no_texts() -> None:
    rows = "".join(
        f"https://example.org/a/very/long/path/{n},8f14e45fceea167a5a36dedd4bea2543,fine soup {n},{n % 2}\n"
        for n in range(8)
    )
    items = read(rows)
    assert texts(items)[0] == "fine soup 0"
    assert labels(items)[:2] == [["0"], ["1"]]


def test_only_a_quotation_mark_is_escaped_by_a_backslash() -> None:
    data = 'text,label\n"He said \\"hi\\" at C:\\new",pos\nplain \\n text,neg\n"tex \\alpha",pos\n'
    texts = [item.text for item in read(data) if isinstance(item, Record)]
    assert texts == ['He said "hi" at C:\\new', "plain \\n text", "tex \\alpha"]


def test_label_studios_table_says_what_its_one_control_says() -> None:
    head = "annotation_id,annotator,created_at,id,lead_time,sentiment,text,updated_at\n"
    rows = "1,1,x,5,2.5,Pos,Ada met Bob,y\n2,1,x,6,2.5,Neg,Ada met Cyd,y\n"
    said = [item.annotation for item in read(head + rows) if isinstance(item, Record)]
    assert said == [{"labels": ["Pos"]}, {"labels": ["Neg"]}]
    several = '1,1,x,5,2.5,"{""choices"": [""Pos"", ""Odd""]}",Ada met Bob,y\n'
    (item,) = read(head + several)
    assert isinstance(item, Record)
    assert item.annotation == {"labels": ["Pos", "Odd"]}


def test_of_several_columns_that_look_like_labels_the_others_are_named() -> None:
    rows = "".join(f"This is text {n},{'ab'[n % 2]},{'xy'[n % 2]},en\n" for n in range(12))
    first, second, *_rest = read(f"text,tone,theme,lang\n{rows}")
    assert isinstance(first, Record)
    assert isinstance(second, Record)
    assert labels([first]) == [["a"]]
    assert first.unused == ("“theme” as the label: “tone” was taken, which is a guess",)
    assert second.unused == ()
    chosen, *_rest = read(f"text,tone,theme,lang\n{rows}", columns={"label": "theme"})
    assert isinstance(chosen, Record)
    assert (labels([chosen]), chosen.unused) == ([["x"]], ())


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("comment_text,toxic,rude,loud\nOne.,1,0,1\nTwo.,0,0,0\n", [["loud", "toxic"], []]),
        ("text,pos,neg\nOne.,1.0,0.0\nTwo.,0.0,1.0\n", [["pos"], ["neg"]]),
        ("id,text,joy,fear,anger\n1,One.,True,False,False\n2,Two.,False,True,True\n", [["joy"], ["anger", "fear"]]),
        # Two columns that are not always one of two may say anything, and others have a label.
        ("text,reply,quoted\nOne.,1,0\nTwo.,1,1\n", None),
        ("text,is_reply,is_quote,has_link\nOne.,1,0,1\nTwo.,1,1,0\n", None),
    ],
)  # fmt: skip
def test_a_column_for_each_label(table: str, expected: list[list[str]] | None) -> None:
    rows = read(table)
    if expected is None:
        return
    found = [sorted(item.annotation["labels"]) for item in rows if isinstance(item, Record)]
    assert found == expected
    assert isinstance(rows[0], Record)
    assert "each taken for a label" in rows[0].unused[-1]
    shown = preview(io.BytesIO(table.encode()), "csv", "sentiment", ReadOptions())
    label = shown.mapping["label"]
    assert label in shown.columns
    # As the preview's form sends it back.
    again = read(table, columns=shown.mapping)
    assert [i.annotation for i in again] == [i.annotation for i in rows]
    assert isinstance(again[0], Record)
    assert again[0].unused == ()


def test_a_column_of_a_label_says_0_or_1() -> None:
    table = "text,toxic,rude,loud\n" + "One.,1,0,1\n" * 60 + "Two.,0,maybe,0\n"
    wrong = read(table)[-1]
    assert isinstance(wrong, RowProblem)
    assert (wrong.row, wrong.column) == (62, "rude")


def test_one_of_several_columns_may_still_be_chosen() -> None:
    table = "text,toxic,rude,loud\nOne.,1,0,1\nTwo.,0,0,0\n"
    first, second = read(table, columns={"label": "toxic"}, label_map={"1": "toxic"})
    assert labels([first, second]) == [["toxic"], ["0"]]
    assert isinstance(first, Record)
    assert first.meta == {"rude": "0", "loud": "1"}


@pytest.mark.parametrize("word", ["#N/A", "N/A", "nan", "NULL", "#VALUE!"])
def test_what_spreadsheets_write_for_nothing_is_no_label_and_named(word: str) -> None:
    good, none = read(f"text,label\nFine.,good\nSo so.,{word}\n")
    assert labels([good, none]) == [["good"], None]
    assert isinstance(none, Record)
    assert none.unused == (f"“{word}”, taken for no label",)
    (own,) = read(f"text,label\nSo so.,{word}\n", label_map={word: "unclear"})
    assert labels([own]) == [["unclear"]]


@pytest.mark.parametrize(
    "table",
    [
        "Reviews of 2024\nid,text,label\n1,Fine.,good\n2,Bad.,poor\n",
        "Reviews of 2024,,\nid,text,label\n1,Fine.,good\n2,Bad.,poor\n",
        "Reviews of 2024\nmade by Ada\n\nid;text;label\n1;Fine.;good\n2;Bad.;poor\n",
        "Reviews of 2024\nid\ttext\tlabel\n1\tFine.\tgood\n2\tBad.\tpoor\n",
    ],
)
def test_a_title_above_the_table_is_no_row_and_named(table: str) -> None:
    items = read(table)
    assert texts(items) == ["Fine.", "Bad."]
    assert labels(items) == [["good"], ["poor"]]
    assert isinstance(items[0], Record)
    assert items[0].external_id == "1"
    assert items[0].unused[0] == "row 1, a title above the table: “Reviews of 2024”"
    assert guess_format("a.csv", table.encode(), "sentiment") == "csv"


def test_a_first_row_without_a_label_is_no_title() -> None:
    table = "It was fine.,\nIt was bad.,poor\nIt was great.,good\nIt was bad again.,poor\n"
    assert texts(read(table))[0] == "It was fine."


def test_annotations_of_brat_are_no_table() -> None:
    ann = b"T1\tPER 0 3\tAda\nT2\tLOC 9 13\tLima\nR1\tLives Arg1:T1 Arg2:T2\n"
    for name in ("a.ann", "a.txt"):
        assert guess_format(name, ann, "ner") == "brat"
    with pytest.raises(InvalidInput, match="text"):
        list(READERS["brat"].read(io.BytesIO(ann), "ner", ReadOptions()))
