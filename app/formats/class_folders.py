"""A folder for each label, with a file for each text in it: as text data sets have been packed for thirty years.

    train/pos/0_9.txt, train/neg/1_2.txt, test/pos/…

A folder above that is called as splits are says the split; `unsup` and `unlabeled` are no labels.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from app.formats.base import ReadOptions, Record, RowProblem, is_split
from app.formats.bounds import MAX_ROW, text_problem
from app.formats.encoding import open_text, unreadable
from app.formats.rows import read_row
from app.formats.unzip import Archive, Member
from app.i18n import gettext as _

_NO_LABEL = frozenset({"unsup", "unsupervised", "unlabeled", "unlabelled"})


def is_one(members: Sequence[Member]) -> bool:
    """Whether these files are texts in folders of labels: several of each, and none of them the file of a split."""
    texts = [member for member in members if member.ending.lower() == ".txt"]
    folders = Counter(member.folder.rpartition("/")[2] for member in texts)
    return (
        len(folders) > 1
        and len(texts) > 0.5 * len(members)
        and len(texts) > len(folders)
        and not any(is_split(name) or not name for name in folders)
        and not any(is_split(member.stem.rpartition("/")[2]) for member in texts)
    )


def read_texts(
    archive: Archive, members: Sequence[Member], task: str, options: ReadOptions
) -> Iterator[Record | RowProblem]:
    """Each file as a record with its folder's name as its label."""
    for number, member in enumerate(members, 1):
        with archive.open(member) as stream:
            lines, encoding = open_text(stream, options.encoding, language=options.language)
            text = lines.read(MAX_ROW)
        problem = unreadable(text, encoding) or text_problem(text)
        if problem:
            yield RowProblem(
                number, _("“%(name)s”: %(problem)s", name=member.name, problem=problem)
            )
            continue
        *above, label = member.folder.split("/")
        row = {
            "text": text.removesuffix("\n"),
            "split": next(filter(is_split, above), None),
            "file": member.name,
        }
        if label.lower() not in _NO_LABEL:
            row["label" if task == "sentiment" else "folder"] = label
        item = read_row(row, task, _OWN.model_copy(update={"label_map": options.label_map}), number)
        if isinstance(item, RowProblem):
            item = RowProblem(
                number, _("“%(name)s”: %(problem)s", name=member.name, problem=item.message)
            )
        yield item


_OWN = ReadOptions(columns={"text": "text", "split": "split", "external_id": ""})
