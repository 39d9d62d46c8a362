"""The stem of an English word, by the Snowball project's algorithm (Porter 2), as Trino's is."""

from __future__ import annotations

import re

_V = "aeiouy"
_DOUBLES = ("bb", "dd", "ff", "gg", "mm", "nn", "pp", "rr", "tt")
_EXCEPTIONS = {
    "skis": "ski",
    "skies": "sky",
    "dying": "die",
    "lying": "lie",
    "tying": "tie",
    "idly": "idl",
    "gently": "gentl",
    "ugly": "ugli",
    "early": "earli",
    "only": "onli",
    "singly": "singl",
}
_KEPT = ("sky", "news", "howe", "atlas", "cosmos", "bias", "andes")
_KEPT_LATER = ("inning", "outing", "canning", "herring", "earring", "proceed", "exceed", "succeed")
_STEP_2 = {
    "tional": "tion",
    "enci": "ence",
    "anci": "ance",
    "abli": "able",
    "entli": "ent",
    "izer": "ize",
    "ization": "ize",
    "ational": "ate",
    "ation": "ate",
    "ator": "ate",
    "alism": "al",
    "aliti": "al",
    "alli": "al",
    "fulness": "ful",
    "ousli": "ous",
    "ousness": "ous",
    "iveness": "ive",
    "iviti": "ive",
    "biliti": "ble",
    "bli": "ble",
    "fulli": "ful",
    "lessli": "less",
}
_STEP_3 = {
    "tional": "tion",
    "ational": "ate",
    "alize": "al",
    "icate": "ic",
    "iciti": "ic",
    "ical": "ic",
    "ful": "",
    "ness": "",
}
_STEP_4 = (
    "al",
    "ance",
    "ence",
    "er",
    "ic",
    "able",
    "ible",
    "ant",
    "ement",
    "ment",
    "ent",
    "ism",
    "ate",
    "iti",
    "ous",
    "ive",
    "ize",
)


def stem(word: str) -> str:
    """The stem of a word in lower case; one of two letters, or of others than ``a`` to ``z``, stays."""
    if len(word) < 3 or not re.fullmatch(r"[a-z']+", word):
        return word
    word = word.removeprefix("'")
    if word in _EXCEPTIONS:
        return _EXCEPTIONS[word]
    if word in _KEPT:
        return word
    if word.startswith("y"):
        word = "Y" + word[1:]
    word = re.sub(rf"(?<=[{_V}])y", "Y", word)
    first, second = _regions(word)
    word = _step_1a(word)
    if word not in _KEPT_LATER:
        for step in (_step_1b, _step_1c, _step_2, _step_3, _step_4, _step_5):
            word = step(word, first, second)
    return word.replace("Y", "y")


def _regions(word: str) -> tuple[int, int]:
    """Where the regions R1 and R2 begin: behind the first consonant that follows a vowel, and once more."""
    known = re.match(r"gener|commun|arsen", word)
    first = known.end() if known else _behind(word, 0)
    return first, _behind(word, first)


def _behind(word: str, start: int) -> int:
    found = re.search(rf"[{_V}][^{_V}]", word[start:])
    return start + found.end() if found else len(word)


def _step_1a(word: str) -> str:
    for end in ("'s'", "'s", "'"):
        if word.endswith(end):
            word = word[: -len(end)]
            break
    if word.endswith("sses"):
        return word[:-2]
    if word.endswith(("ied", "ies")):
        return word[:-2] if len(word) > 4 else word[:-1]
    if word.endswith("s") and not word.endswith(("us", "ss")) and re.search(f"[{_V}]", word[:-2]):
        return word[:-1]
    return word


def _is_short(word: str) -> bool:
    return re.search(rf"[^{_V}][{_V}][^{_V}wxY]$|^[{_V}][^{_V}]$", word) is not None


def _step_1b(word: str, first: int, _: int) -> str:
    for end in ("eedly", "eed"):
        if word.endswith(end):
            return word[: -len(end)] + "ee" if len(word) - len(end) >= first else word
    for end in ("ingly", "edly", "ing", "ed"):
        if word.endswith(end):
            rest = word[: -len(end)]
            if not re.search(f"[{_V}]", rest):
                return word
            if rest.endswith(("at", "bl", "iz")):
                return rest + "e"
            if rest.endswith(_DOUBLES):
                return rest[:-1]
            return rest + "e" if len(rest) <= first and _is_short(rest) else rest
    return word


def _step_1c(word: str, _: int, __: int) -> str:
    return re.sub(rf"(?<=.[^{_V}])[yY]$", "i", word)


def _replaced(word: str, table: dict[str, str], first: int) -> str | None:
    for end in sorted(table, key=len, reverse=True):
        if word.endswith(end):
            return word[: -len(end)] + table[end] if len(word) - len(end) >= first else word
    return None


def _step_2(word: str, first: int, _: int) -> str:
    found = _replaced(word, _STEP_2, first)
    if found is not None:
        return found
    if word.endswith("ogi") and len(word) - 3 >= first and word.endswith("logi"):
        return word[:-1]
    if word.endswith("li") and len(word) - 2 >= first and word[-3:-2] in "cdeghkmnrt":
        return word[:-2]
    return word


def _step_3(word: str, first: int, second: int) -> str:
    found = _replaced(word, _STEP_3, first)
    if found is not None:
        return found
    return word[:-5] if word.endswith("ative") and len(word) - 5 >= second else word


def _step_4(word: str, _: int, second: int) -> str:
    for end in sorted((*_STEP_4, "ion"), key=len, reverse=True):
        if word.endswith(end):
            fits = len(word) - len(end) >= second and (end != "ion" or word[-4:-3] in ("s", "t"))
            return word[: -len(end)] if fits else word
    return word


def _step_5(word: str, first: int, second: int) -> str:
    if word.endswith("e"):
        rest = word[:-1]
        return rest if len(rest) >= second or (len(rest) >= first and not _is_short(rest)) else word
    return word[:-1] if word.endswith("ll") and len(word) - 1 >= second else word
