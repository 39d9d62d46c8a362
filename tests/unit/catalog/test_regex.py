"""Which regular expressions both engines read alike, and why others are refused."""

from __future__ import annotations

import pytest

from catalog.catalogue import load_catalogue
from catalog.regex import PatternError, anchored, portable, whole_text


@pytest.mark.parametrize(
    ("pattern", "spelled"),
    [
        ("abc", "abc"),
        (r"\d{4}-\d\d", "[0-9]{4}-[0-9][0-9]"),
        (r"a\.b\$\{", "a[.]b[$][{]"),
        (r"\\\^\[\]", r"\\\^\[\]"),
        (r"\Aa|b\z", r"^a|b\z"),
        ("(a|b)?(?:c){2}", "(?:a|b)?(?:c){2}"),
        ("[a-z0-9-]+", "[a-z0-9-]+"),
        ("[-a]*", "[a-]*"),
        (r"[^\d\]]", r"[^0-9\]]"),
        (r"[a\-z]", "[az-]"),
        (r"[^k-z\--a]", "[^k-z.-a-]"),
        (r"[\--\-]", "[-]"),
        ("é{1,}", "é{1,}"),
        ("(ab){0,1000}", "(?:ab){0,1000}"),
    ],
)
def test_a_pattern_of_the_allow_list_is_spelled_for_both(pattern: str, spelled: str) -> None:
    assert portable(pattern) == spelled


@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [
        ("a.b", r"\.: state the characters, as .* at character 2 of the pattern a\.b"),
        ("a$", r"\$: state \\z, at character 2"),
        ("^a", r"\^: state \\A, at character 1"),
        (r"\s", r"\\s is not of the allow-list, at character 2"),
        (r"\w+", r"\\w is not of the allow-list"),
        (r"\p{Alpha}", r"\\p is not of the allow-list"),
        (r"\Z", r"\\Z is not of the allow-list"),
        (r"\n", r"\\n is not of the allow-list"),
        ("(?i)a", "a group has no flags and looks nowhere, at character 2"),
        ("(?=a)", "a group has no flags and looks nowhere"),
        ("a++", "a repetition is followed by no other sign"),
        ("a*?", "a repetition is followed by no other sign"),
        ("a{2}{3}", "a repetition is followed by no other sign"),
        ("a{1,2000}", "nothing is repeated more than 1000 times, at character 2"),
        ("(a{40}){40}", "nothing is repeated more than 1000 times"),
        ("(ab)*", r"a group is repeated a stated number of times, such as \{0,1000\}"),
        ("(ab){2,}", "a group is repeated a stated number of times"),
        ("[^a]{1000}[^b]{1000}[^c]{1000}", "larger than 10000"),
        ("a{3,2}", "the smaller number first"),
        ("a{0}", "the larger is not 0"),
        ("*a", "has to follow something"),
        ("a]", "has to follow something, or a backslash"),
        ("(a", "the group has no end, at character 1"),
        ("a)", r"\): there is no \( for it, at character 2"),
        ("", "something is expected before it"),
        ("a||b", "something is expected before it"),
        ("()", "something is expected before it"),
        (r"a\A", r"A: \\A stands before all else"),
        (r"\za", "something is expected before it"),
        (r"a\zb", r"nothing follows \\z"),
        (r"(a\z)", "a group holds no anchor"),
        ("[]a]", "the class holds nothing"),
        ("[a", "the pattern ends too early"),
        ("[a&&b]", "&: has a backslash before it within a class"),
        ("[[:alpha:]]", r"\[: has a backslash before it within a class"),
        ("[z-a]", "a range ends with a character that is not before its first"),
        (r"[a-\d]", "a range ends"),
        ("a\\", "the pattern ends too early"),
        ("\0", "not a character that a text can hold"),
        ("(" * 30 + "a" + ")" * 30, "groups nest too deep"),
    ],
)
def test_all_else_is_refused_with_its_place(pattern: str, complaint: str) -> None:
    with pytest.raises(PatternError, match=complaint):
        portable(pattern)


@pytest.mark.parametrize(
    ("pattern", "inner"),
    [("^a$", "a"), ("a", "a"), (r"^a\$", r"a\$"), (r"^a\\$", r"a\\"), ("^a|b$", "a|b"), ("", "")],
)
def test_a_contracts_pattern_describes_the_whole_text(pattern: str, inner: str) -> None:
    assert whole_text(pattern) == inner


@pytest.mark.parametrize(
    ("pattern", "inner"),
    [
        (r"\A(?:a|b)\z", "a|b"),
        (r"\A(?:a)|(?:b)\z", None),
        (r"\Aa\z", None),
        ("a", None),
        (r"\A(?:)\z", None),
    ],
)
def test_a_whole_pattern_is_told_from_others(pattern: str, inner: str | None) -> None:
    assert anchored(pattern) == inner


def test_the_patterns_of_the_contracts_are_of_the_allow_list() -> None:
    for contract in load_catalogue().contracts:
        for column in contract.columns:
            if column.pattern is not None:
                portable(whole_text(column.pattern))
