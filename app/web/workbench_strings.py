"""The words that the workbench's scripts show, in the reader's language."""

from app.i18n import gettext as _


def strings() -> dict[str, str]:
    """Sentences by key; `{name}` stands for a value that the script fills in."""
    return {
        "added": _("{words}: {label}"),
        "replaced": _("{words}: {label}, instead of “{instead}”. Undo brings it back."),
        "brush_off": _("No label is held any more."),
        "brush_on": _("“{label}” is held: every selection gets it at once."),
        "choose_label": _("Choose a label first, or skip the example."),
        "crosses": _("This would cross “{words}”: one must lie wholly inside the other."),
        "draft_restored": _("Your unsaved changes are back."),
        "log_in": _("Log in again"),
        "logged_out": _("You are logged out. What you did here is kept in this browser."),
        "n_arguments": _("arguments: {n}"),
        "nothing_before": _("There is nothing before this one."),
        "nothing_yet": _("You have not labelled anything here yet."),
        "pick_argument": _("Pick an argument of the predicate first."),
        "predicate_first": _("Mark a predicate first: select its word and press ⇧P."),
        "predicate_tag": _("predicate"),
        "progress": _("{done} of {total} labelled · {mine} by you"),
        "refused_late": _(
            "What you saved while the connection was down no longer fits ({n}): "
            "somebody was quicker, or the labels have changed."
        ),
        "remove": _("Remove"),
        "remove_predicate": _("Remove the predicate “{words}”"),
        "remove_span": _("Remove “{words}”"),
        "saved": _("Saved."),
        "select_argument": _("Select the words of the argument, then choose its role."),
        "select_predicate": _("Select the predicate's word first."),
        "sent_late": _("What could not be sent before is saved now ({n})."),
        "skipped": _("Skipped."),
        "state_given": _("Labelled already"),
        "state_mine": _("You labelled this"),
        "state_skipped": _("Skipped"),
        "undone": _("Undone."),
        "unreachable": _("The server cannot be reached. Reload the page in a moment."),
        **_keys(),
    }


def _keys() -> dict[str, str]:
    """What the keys do, as the help lists them."""
    return {
        "key_back": _("back to the one before"),
        "key_comment": _("comment"),
        "key_continuation": _("continuation: C- before the role"),
        "key_deselect": _("let go of everything"),
        "key_grow": _("one word more"),
        "key_guidelines": _("guidelines"),
        "key_help": _("this help"),
        "key_history": _("what I labelled"),
        "key_label": _("give or take the label that bears the key"),
        "key_label_saves": _("give the label that bears the key, save, and on to the next"),
        "key_next_argument": _("next argument"),
        "key_next_entity": _("next entity"),
        "key_next_predicate": _("next predicate"),
        "key_next_word": _("next word"),
        "key_predicate": _("the selected word is a predicate"),
        "key_previous_entity": _("entity before"),
        "key_previous_predicate": _("predicate before"),
        "key_previous_word": _("word before"),
        "key_redo": _("do it again"),
        "key_reference": _("reference: R- before the role"),
        "key_remove": _("remove what is picked"),
        "key_save": _("save, and on to the next"),
        "key_sense": _("choose the sense"),
        "key_shrink": _("one word less"),
        "key_skip": _("skip"),
        "key_undo": _("undo; with nothing to undo, back to the one before"),
    }
