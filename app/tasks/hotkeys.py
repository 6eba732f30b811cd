"""Labels' keys in the workbench: which there may be, and what becomes of older ones that cannot be."""

import unicodedata
from collections.abc import Iterable, Sequence

from app.errors import InvalidInput, Problem
from app.i18n import gettext as _
from app.tasks.base import HOTKEYS, Label


def is_usable(hotkey: str) -> bool:
    """Whether pressing this key alone can give a label: a digit, or a letter without Shift.

    Other characters belong to commands or lie behind Shift on some keyboard; wide ones (Chinese, kana, hangul)
    are typed by an input method, never by one key.
    """
    if len(hotkey) != 1 or unicodedata.east_asian_width(hotkey) in ("W", "F"):
        return False
    return hotkey in "0123456789" or unicodedata.category(hotkey) in ("Ll", "Lo")


def check_hotkeys(labels: Sequence[Label], before: Iterable[Label] = ()) -> None:
    """Raises InvalidInput, naming each label whose key cannot be one, unless it had that key before."""
    known = {(label.name, label.hotkey) for label in before}
    problems = [
        Problem("label_hotkey", _reason(label))
        for label in labels
        if label.hotkey and not is_usable(label.hotkey) and (label.name, label.hotkey) not in known
    ]
    if problems:
        raise InvalidInput(" ".join(problem.message for problem in problems), problems)


def with_usable_hotkeys(labels: Sequence[Label]) -> list[Label]:
    """The labels with keys that work: in place of one that cannot, the next that is free."""
    usable = [label.hotkey is None or is_usable(label.hotkey) for label in labels]
    taken = {label.hotkey for label, good in zip(labels, usable, strict=True) if good}
    free = (key for key in HOTKEYS if key not in taken)
    return [
        label if good else label.model_copy(update={"hotkey": next(free, None)})
        for label, good in zip(labels, usable, strict=True)
    ]


def _reason(label: Label) -> str:
    key = label.hotkey or ""
    small = key.lower()
    if small != key and is_usable(small):
        return _(
            "The key of “%(label)s” cannot be “%(key)s”: Shift with a letter is for the workbench's commands. "
            "Take “%(small)s”.",
            label=label.name,
            key=key,
            small=small,
        )
    return _(
        "The key of “%(label)s” cannot be “%(key)s”: take a digit or a letter that a keyboard types without Shift.",
        label=label.name,
        key=key,
    )
