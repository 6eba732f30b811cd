"""Columns of words: tag schemes, comments, CoNLL's other years, and which reader takes which file."""

import io
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import InvalidInput
from app.formats import READERS, ReadOptions, Record, RowProblem, guess_format


def read(name: str, task: str, data: str, **options: Any) -> list[Record | RowProblem]:
    return list(READERS[name].read(io.BytesIO(data.encode()), task, ReadOptions(**options)))


def records(name: str, task: str, data: str, **options: Any) -> list[Record]:
    items = read(name, task, data, **options)
    assert all(isinstance(item, Record) for item in items), items
    return [item for item in items if isinstance(item, Record)]


def entities(data: str, name: str = "conll", **options: Any) -> list[tuple[str, str]]:
    return [
        (item.text[span["start"] : span["end"]], span["label"])
        for item in records(name, "ner", data, **options)
        for span in (item.annotation or {})["spans"]
    ]


def column(*rows: str) -> str:
    return "".join(f"{row}\n" for row in rows)


WORDS = ("Mia", "Ruiz", "saw", "Lima", "Quito")
FOUND = [("Mia Ruiz", "PER"), ("Lima", "LOC"), ("Quito", "LOC")]


@pytest.mark.parametrize(
    "tags",
    [
        "B-PER I-PER O B-LOC B-LOC",
        "PER-B PER-I O LOC-B LOC-B",
        "B_PER I_PER O B_LOC B_LOC",
        "PER_B PER_E O LOC_S LOC_S",
        "B:PER E:PER O S:LOC S:LOC",
        "B-PER|O I-PER O|O B-LOC B-LOC",
        "B-PER E-PER O W-LOC W-LOC",
    ],
)
def test_tags_in_any_spelling_say_the_same(tags: str) -> None:
    assert entities(column(*map(" ".join, zip(WORDS, tags.split(), strict=True)))) == FOUND


@pytest.mark.parametrize("tag", ["S-LOC", "s-LOC", "S_LOC", "u-LOC"])
def test_one_word_entities_alone_tell_the_scheme(tag: str) -> None:
    assert entities(column("saw O", f"Lima {tag}")) == [("Lima", "LOC")]


def test_tags_in_small_letters() -> None:
    data = column("mia b-per", "ruiz i-per", "saw o", "lima b-loc", "quito b-loc")
    assert entities(data) == [("mia ruiz", "per"), ("lima", "loc"), ("quito", "loc")]


@pytest.mark.parametrize("separator", ["|", "^", ";", ",", " "])
def test_several_tags_of_one_word_are_several_entities(separator: str) -> None:
    data = column(f"Mia\tB-PER{separator}B-STAR", f"Ruiz\tI-PER{separator}O", "sang\tO")
    assert entities(data) == [("Mia Ruiz", "PER"), ("Mia", "STAR")]


def test_marks_without_types_are_entities() -> None:
    assert entities(column("breast B", "cancer I", "is O", "flu B")) == [
        ("breast cancer", "entity"),
        ("flu", "entity"),
    ]


def test_types_without_marks_are_entities() -> None:
    assert entities(column("Mia person", "Ruiz person", "sent O", "E-mail e-mail")) == [
        ("Mia Ruiz", "person"),
        ("E-mail", "e-mail"),
    ]


@pytest.mark.parametrize("end", [" ", "\t", "  \t", "\t\t", "\xa0", "\u3000 "])
def test_blanks_at_the_end_of_lines_are_no_columns(end: str) -> None:
    assert entities(f"Mia B-PER{end}\nRuiz I-PER\nsaw O{end}\n") == [("Mia Ruiz", "PER")]


def test_an_empty_tag_is_outside() -> None:
    assert entities("Mia\tB-PER\nsaw\t\nLima\tB-LOC\n") == [("Mia", "PER"), ("Lima", "LOC")]


@pytest.mark.parametrize("text", ["Type O", "The I-5", "My E-mail", "The B-side", "x = O"])
def test_a_text_comment_may_end_like_a_tag(text: str) -> None:
    data = f"# text = {text}\n" + column(*(f"{word} O" for word in text.split()))
    assert [item.text for item in records("conll", "ner", data)] == [text]


def test_a_bare_hash_is_a_word_where_its_line_has_the_columns_of_a_word() -> None:
    (item,) = records("conll", "ner", "# O\n1 O\nhit B-SONG\n")
    assert item.text == "# 1 hit"
    (item,) = records("conll", "ner", "#\thttps://example.org/a\t[2020-01-01]\t\n1\tHi\tO\tO\n")
    assert (item.text, item.meta) == ("Hi", {"comments": ["https://example.org/a\t[2020-01-01]"]})


def test_what_comments_say_is_kept() -> None:
    (item,) = records("conll", "ner", "# sent_id = s-1\n# source = a = b\nHi O\n")
    assert (item.external_id, item.meta) == ("s-1", {"source": "a = b"})


@pytest.mark.parametrize("tokens", ["[[0, 2]]", "[[0, 2], [2, 99]]", "[[3, 5], [0, 2]]", "7", "{"])
def test_tokens_that_do_not_fit_are_a_wrong_row(tokens: str) -> None:
    (item,) = read("conll", "ner", f"# text = Hi Mia\n# tokens = {tokens}\nHi O\nMia B-PER\n")
    assert isinstance(item, RowProblem)
    assert "tokens" in item.message


@pytest.mark.parametrize(
    ("rows", "unread"),
    [
        (["Mia NNP B-NP B-PER", "saw VBD B-VP O"], ("column 2", "column 3")),
        (["1 Mia NNP B-NP B-PER", "2 saw VBD B-VP O"], ("column 3", "column 4")),
        (["Mia B-NP B-PER", "saw B-VP O"], ("column 2",)),
        (["1\tMia\tB-PER\t-\tann", "2\tsaw\tO\t-\t-"], ("column 5",)),
        (["Mia B-PER 0.98", "saw O 0.51"], ("column 3",)),
    ],
)
def test_the_column_of_entities_is_found_and_the_others_are_named(
    rows: list[str], unread: tuple[str, ...]
) -> None:
    assert entities(column(*rows)) == [("Mia", "PER")]
    (item,) = records("conll", "ner", column(*rows))
    assert item.unused == unread


def test_a_number_is_a_word_where_the_file_does_not_number_its_words() -> None:
    items = records("conll", "ner", "Mia NNP O\n\n1 CD O\n")
    assert [item.text for item in items] == ["Mia", "1"]


@pytest.mark.parametrize("header", ["Word\tTag", "token\tlabel", "tokens\tner_tags"])
def test_a_line_of_column_names_is_no_word(header: str) -> None:
    assert entities(f"{header}\nMia\tB-PER\nsaw\tO\n") == [("Mia", "PER")]


def test_another_delimiter_is_said_and_can_be_chosen() -> None:
    data = "Mia,B-PER\nsaw,O\n"
    with pytest.raises(InvalidInput, match="divided by “,”"):
        read("conll", "ner", data)
    assert entities(data, delimiter=",") == [("Mia", "PER")]


def test_contractions_among_numbered_words_are_none() -> None:
    items = records("conll", "ner", "1-2\tdu\tO\n1\tde\tO\n2\tle\tO\n3\tParis\tB-LOC\n")
    assert [item.text for item in items] == ["de le Paris"]


@pytest.mark.parametrize(
    "row",
    [
        "1\tMia\tMia\tN\tN\t_\t2\tSBJ\t_\t_",  # CoNLL-2006
        "1\tMia\tMia\tMia\tN\tN\t_\t_\t2\t2\tSBJ\tSBJ\t_\t_",  # CoNLL-2009
        "Mia NNP",
    ],
)
def test_columns_without_entities_are_refused_with_a_sentence(row: str) -> None:
    name = guess_format("a.conll", row.encode(), "ner")
    with pytest.raises(InvalidInput, match="None of the columns holds tags"):
        read(name, "ner", f"{row}\n")


ONTONOTES = """\
#begin document (tv/a/00/a_0000); part 001
tv/a/00/a_0000 1 0 Mia NNP (TOP(S(NP* - - - Host (PERSON* (ARG0* (1
tv/a/00/a_0000 1 1 Ruiz NNP *) - - - Host *) *) 1)
tv/a/00/a_0000 1 2 left VBD (VP* leave 02 1 Host * (V*) -
tv/a/00/a_0000 1 3 Lima NNP (NP*)))) - - - Host (GPE) (ARG1*) -

#end document
"""


@pytest.mark.parametrize("has_borders", [True, False])
def test_conll_2012_holds_entities_and_propositions(has_borders: bool) -> None:
    lines = [line for line in ONTONOTES.splitlines() if has_borders or not line.startswith("#")]
    data = column(*lines)
    for task in ("ner", "srl"):
        assert guess_format("a.conll", data.encode(), task) == "conll2012"
    assert entities(data, "conll2012") == [("Mia Ruiz", "PERSON"), ("Lima", "GPE")]
    (item,) = records("conll2012", "srl", data)
    assert item.meta == {"document": "tv/a/00/a_0000", "part": "1", "speaker": "Host"}
    assert "coreference" in item.unused
    assert item.annotation == {
        "predicates": [
            {
                "start": 9,
                "end": 13,
                "sense": "leave.02",
                "arguments": [
                    {"start": 0, "end": 8, "role": "ARG0"},
                    {"start": 14, "end": 18, "role": "ARG1"},
                ],
            }
        ]
    }


def conllu(*rows: tuple[str, str], before: str = "") -> str:
    """Words with their MISC, as CoNLL-U."""
    lines = (
        f"{n}\t{word}\t_\tX\t_\t_\t0\tdep\t_\t{misc}" for n, (word, misc) in enumerate(rows, 1)
    )
    return before + column(*lines)


@pytest.mark.parametrize(
    "data",
    [
        conllu(("Mia", "ner=B-PER"), ("Ruiz", "ner=E-PER|SpaceAfter=No"), ("!", "ner=O")),
        conllu(("Mia", "NER=B-PER"), ("Ruiz", "SpaceAfter=No|NER=I-PER"), ("!", "_")),
        conllu(("Mia", "Entity=(e1-PER-1-new"), ("Ruiz", "Entity=e1)|SpaceAfter=No"), ("!", "_")),
        conllu(("Mia", "Entity=(PER-7"), ("Ruiz", "Entity=PER-7)|SpaceAfter=No"), ("!", "_")),
        conllu(
            ("Mia", "Entity=(new-e1-PER"),
            ("Ruiz", "Entity=e1)|SpaceAfter=No"),
            ("!", "_"),
            before="# global.Entity = infstat-GRP-etype\n",
        ),
        "# global.columns = ID FORM MISC X:NER\n1\tMia\t_\tB-PER\n2\tRuiz\tSpaceAfter=No\tI-PER\n3\t!\t_\tO\n",
    ],
)
def test_entities_beside_the_words_of_conllu(data: str) -> None:
    assert guess_format("a.txt", data.encode(), "ner") == "conllu"
    assert entities(data, "conllu") == [("Mia Ruiz", "PER")]
    assert [item.text for item in records("conllu", "ner", data)] == ["Mia Ruiz!"]


def test_what_conllu_says_besides_is_named_and_contractions_have_one_place() -> None:
    data = (
        "# text = du Lac\n1-2\tdu\t_\t_\t_\t_\t_\t_\t_\t_\n"
        "1\tde\tde\tADP\t_\t_\t0\troot\t_\tner=O|Gloss=of\n"
        "2\tle\tle\tDET\t_\t_\t1\tdet\t_\tner=B-LOC\n3\tLac\tlac\tNOUN\t_\t_\t1\tobl\t_\tner=I-LOC\n"
    )
    (item,) = records("conllu", "ner", data)
    assert item.tokens == ((0, 2), (3, 6))
    assert item.annotation == {"spans": [{"start": 0, "end": 6, "label": "LOC"}]}
    assert item.unused == ("LEMMA", "UPOS", "HEAD", "DEPREL", "MISC: Gloss")


UP = "1\tMia\t_\tX\t_\t_\t2\tnsubj\t_\t_\t_\tA0\n2\tleft\t_\tX\t_\t_\t0\troot\t_\t_\tleave.02\tV\n"


def test_rolesets_in_column_eleven_are_read_whatever_stands_in_deps_and_misc() -> None:
    (item,) = records("up", "srl", UP)
    assert [p["sense"] for p in (item.annotation or {})["predicates"]] == ["leave.02"]
    assert [a["role"] for a in (item.annotation or {})["predicates"][0]["arguments"]] == ["ARG0"]


def test_conllu_without_predicates_is_not_labelled_and_says_what_it_has() -> None:
    (item,) = records("up", "srl", conllu(("Mia", "ner=B-PER"), ("left", "ner=O")))
    assert item.annotation is None
    assert item.unused == ("UPOS", "HEAD", "DEPREL", "MISC: ner")


CONLL_2009 = "1\tleft\t_\t_\t_\t_\t_\t_\t_\t_\t_\t_\tY\tleave.02\t_\n"
WEBANNO = "#FORMAT=WebAnno TSV 3.2\n\n\n#Text=Hi\n1-1\t0-2\tHi\t\n"
PROSE = """# Notes

Mia left the I-5
She came home late, and slept well.
Then it was over.
Nobody asked her why she had gone.
"""
FILES = {
    ("ner", "conll"): "Mia B-PER\nleft O\n",
    ("ner", "conllu"): conllu(("Mia", "ner=B-PER"), ("left", "ner=O")),
    ("ner", "conll2012"): ONTONOTES,
    ("ner", "webanno"): WEBANNO,
    ("ner", "csv"): "text\tspans\nMia left\t[]\n",
    ("ner", "jsonl"): '{"text": "Mia left"}\n',
    ("ner", "json"): '[{"text": "Mia left"}]\n',
    (
        "ner",
        "text",
    ): PROSE,
    ("srl", "propbank"): "a 0 0 Mia NNP * - - (ARG0*)\na 0 1 left VBD * leave leave.02 (V*)\n",
    ("srl", "conll2005"): "Mia - - (A0*)\nleft 02 leave (V*)\n",
    ("srl", "conll2009"): CONLL_2009,
    ("srl", "up"): UP,
    ("srl", "conll2012"): ONTONOTES,
    ("srl", "webanno"): WEBANNO,
    ("srl", "csv"): "text\tpredicates\nMia left\t[]\n",
    ("srl", "jsonl"): '{"text": "Mia left"}\n',
    (
        "srl",
        "text",
    ): PROSE,
}


@pytest.mark.parametrize("ending", ["", ".txt", ".conll", ".tsv"])
@pytest.mark.parametrize(("task", "name"), FILES)
def test_each_file_is_claimed_by_its_own_reader(task: str, name: str, ending: str) -> None:
    if ending in (".conll", ".tsv") and name in ("csv", "jsonl", "json", "text", "propbank"):
        return  # such a name says another format
    assert guess_format(f"a{ending}", FILES[task, name].encode(), task) == name


PIECES = """
1 2 1-2 1-1 0-1 3.1 Mia B-PER O _ - * (V* (A0* ) A0:1-1|A1:2 give.01 Y 01 NER=B-X Entity=(e1-a e1) [1] *[1] 😊 \\
"""
CELLS = st.sampled_from([*PIECES.split(), ""])
COMMENTS = """
#Text=Mia
# text = Mia
# tokens = [[0, 3]]
# split = dev
#T_SP=a.SemPred|ROLE_b|c|d
#end document
"""
LINES = st.lists(CELLS, max_size=14).map("\t".join) | st.sampled_from(COMMENTS.splitlines())
IN_COLUMNS = sorted({name for _task, name in FILES} - {"csv", "jsonl", "json", "text"})
HEADS = {"webanno": "#FORMAT=WebAnno TSV 3.3\n#T_SP=a.b.Thing|value\n\n\n#Text=1\n"}


@pytest.mark.parametrize("name", IN_COLUMNS)
@settings(max_examples=150, deadline=None, derandomize=True)
@given(lines=st.lists(LINES, max_size=8))
def test_whatever_the_lines_are_spans_lie_in_their_text(name: str, lines: list[str]) -> None:
    for task in READERS[name].tasks:
        with suppress(InvalidInput):
            for item in read(name, task, HEADS.get(name, "") + column(*lines)):
                if isinstance(item, Record):
                    said = item.annotation or {}
                    marked = [*said.get("spans", ()), *said.get("predicates", ())]
                    for mark in [*marked, *(a for p in marked for a in p.get("arguments", ()))]:
                        assert 0 <= mark["start"] < mark["end"] <= len(item.text)
