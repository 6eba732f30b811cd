"""What a file is taken for: nothing is plain text or a table because nothing else fits."""

import pytest

from app.errors import InvalidInput
from app.formats import guess_format

CONLL = "The DET O\nBank NOUN B-ORG\n\nIt PRON O\nran VERB O\n\n"
CONLL_U = (
    "# sent_id = 1\n1\tIt\tit\tPRON\t_\t_\t2\tnsubj\t_\t_\n2\tran\trun\tVERB\t_\t_\t0\troot\t_\t_\n"
)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.txt", "one\ntwo\n", "text"),
        ("notes", "It was a good day.\nWe had a nice time there.\n", "text"),
        ("notes", "这家店很好吃啊\n下次还想再来\n", "text"),
        ("a.txt", "Anna: hello there\nBob: hi\nAnna: fine\n", "text"),
        ("a.txt", "Dear all, the text, label and so on\nare fine\nthank you, bye\n", "text"),
        ("a.txt", "text,label\ngood one,pos\nbad one,neg\n", "csv"),
        ("a.psv", "id|text|label\n1|good|pos\n2|bad|neg\n", "csv"),
        ("a.tsv", "Too small for me.\tsize-M\nToo large, really.\tsize-L\n", "csv"),
        ("a.xls", "text\tlabel\na\tb\n", "csv"),
        ("a.csv", '{"text": "a", "label": "b"}\n', "jsonl"),
        ("a.txt", "__label__pos So good\n__label__neg So bad\n", "fasttext"),
        ("a.tsv", "__label__pos\tSo good\n__label__neg\tSo bad\n", "fasttext"),
    ],
)
def test_what_a_file_is_taken_for(name: str, content: str, expected: str) -> None:
    assert guess_format(name, content.encode(), "sentiment") == expected


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "<doc>\n<s>hello there</s>\n</doc>\n"),
        ("a.html", "<html>\n<body>It was a very good day.</body>\n</html>\n"),
        ("a.txt", "The/DT cat/NN sat/VB\nA/DT dog/NN ran/VB\n"),
        ("a.yaml", "key: value\nother: 3\n"),
        ("a.py", "import os\nfor x in y:\n    print(x)\n"),
        ("a.txt", "(3 (2 It) (4 (2 was) (4 good)))\n(1 (2 It) (0 (2 was) (0 bad)))\n"),
        ("a.txt", "0\n1\n0\n2\n"),
        ("a.txt", "camera[+2]##the best camera I had.\n##I bought it.\n"),
        ("a.txt", CONLL),
        ("a.tsv", CONLL.replace(" ", "\t")),
        ("a.txt", CONLL_U),
        ("a.tsv", "#FORMAT=WebAnno TSV 3.2\n#Text=It ran.\n1-1\t0-2\tIt\t_\n1-2\t3-6\tran\t_\n"),
        ("a.txt", ""),
    ],
)
def test_what_is_recognised_by_no_reader_is_refused(name: str, content: str) -> None:
    with pytest.raises(InvalidInput, match="No format is recognised"):
        guess_format(name, content.encode(), "sentiment")


def test_what_is_no_text_is_refused_by_its_kind() -> None:
    with pytest.raises(InvalidInput, match="a PDF"):
        guess_format("a.txt", b"%PDF-1.7\n", "sentiment")
