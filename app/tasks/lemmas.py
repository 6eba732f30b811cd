"""From a word of a text to the lemma that a frame inventory lists it under: a few rules of English."""

import re
from collections.abc import Iterator
from itertools import chain

# The irregular verbs of English that text is full of; everything regular follows from the rules below.
_IRREGULAR = {
    form: lemma
    for lemma, forms in {
        "be": "am is are was were been being", "have": "has had", "do": "does did done", "go": "went gone",
        "say": "said", "make": "made", "take": "took taken", "come": "came", "see": "saw seen", "know": "knew known",
        "get": "got gotten", "give": "gave given", "find": "found", "think": "thought", "tell": "told",
        "become": "became", "leave": "left", "feel": "felt", "bring": "brought", "begin": "began begun",
        "keep": "kept", "hold": "held", "write": "wrote written", "stand": "stood", "hear": "heard",
        "mean": "meant", "meet": "met", "run": "ran", "pay": "paid", "sit": "sat", "speak": "spoke spoken",
        "lead": "led", "grow": "grew grown", "lose": "lost", "fall": "fell fallen", "send": "sent",
        "build": "built", "understand": "understood", "draw": "drew drawn", "break": "broke broken",
        "spend": "spent", "rise": "rose risen", "drive": "drove driven", "buy": "bought", "wear": "wore worn",
        "choose": "chose chosen", "eat": "ate eaten", "sell": "sold", "catch": "caught", "teach": "taught",
        "win": "won", "fly": "flew flown", "throw": "threw thrown", "sing": "sang sung", "shake": "shook shaken",
        "lend": "lent", "seek": "sought", "fight": "fought", "forget": "forgot forgotten", "bear": "bore borne",
        "steal": "stole stolen", "hide": "hid hidden", "ride": "rode ridden", "swim": "swam swum",
        "sleep": "slept", "shoot": "shot", "strike": "struck", "lie": "lay lain", "deal": "dealt",
        "drink": "drank drunk", "freeze": "froze frozen", "wake": "woke woken", "bend": "bent", "bind": "bound",
    }.items()
    for form in forms.split()
}  # fmt: skip
_SUFFIXES = (
    (r"ies$", "y"), (r"ied$", "y"), (r"(ss|sh|ch|x|z|o)es$", r"\1"), (r"s$", ""),
    (r"([b-df-hj-np-tv-z])\1(ed|ing)$", r"\1"),
    (r"ed$", ""), (r"ed$", "e"), (r"ing$", ""), (r"ing$", "e"), (r"ying$", "ie"),
)  # fmt: skip


def candidates(word: str) -> Iterator[str]:
    """The word itself, then what it may be an inflected form of, best guess first (English rules)."""
    word = normalise(word)
    guesses = chain(
        [word, _IRREGULAR.get(word, word)],
        (
            re.sub(pattern, ending, word)
            for pattern, ending in _SUFFIXES
            if re.search(pattern, word)
        ),
    )
    yield from dict.fromkeys(guess for guess in guesses if guess)


def normalise(name: str) -> str:
    """A lemma as it is stored and looked up: lower case, words apart by a space."""
    return name.strip().lower().replace("_", " ")[:200]
