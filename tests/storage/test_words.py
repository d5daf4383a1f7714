"""How texts are cut into words and folded, and what people look for."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.words import Query, cut, fold, normalize, parse_query


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("Customer Data, 2026!", ["customer", "data", "2026"]),
        ("customer_email foo-bar a.b@c.org", ["customer", "email", "foo", "bar", "a", "b", "c", "org"]),
        ("ÉTÉ été e\u0301te\u0301", ["ete", "ete", "ete"]),
        ("İstanbul ISTANBUL", ["istanbul", "istanbul"]),
        ("ＦＵＬＬ ﬁne x²", ["full", "fne", "x2"]),
        ("数据治理 data", ["数", "据", "治", "理", "data"]),
        ("カタカナ", list("カタカナ")),
        ("데이터 거버넌스", ["데이터", "거버넌스"]),
        ("مُحَمَّد", ["محمد"]),
        ("привет Ёлка", ["привет", "елка"]),
        ("a\x00b\ud800c", ["a", "b", "c"]),
        ("\u0301\u0301 \u200b 😀 _", []),
        ("x" * 100, ["x" * 64]),
    ],
)
def test_cutting(text: str, expected: list[str]) -> None:
    assert [unicodedata.normalize("NFC", word) for word in cut(normalize(text))] == expected


@given(st.text())
def test_folding_keeps_places_and_words_hold_letters_and_digits_only(text: str) -> None:
    text = normalize(text)
    assert len(fold(text)) == len(text)
    for word in cut(text):
        assert 0 < len(word) <= 64
        assert not set(word) & set(" \t\n\x00'\"\\:*&|!()<>-^,")


@given(st.text())
def test_folding_what_was_folded_changes_no_word(text: str) -> None:
    words = list(cut(normalize(text)))
    assert list(cut(normalize(" ".join(words)))) == words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Customer data", (("customer",), ("data",))),
        ("customer_email  X", (("customer", "email"), ("x",))),
        ("数据 x", (("数", "据"), ("x",))),
        ("- foo *", (("foo",),)),
    ],
)
def test_queries(text: str, expected: tuple[tuple[str, ...], ...]) -> None:
    assert parse_query(text) == Query(expected)


@pytest.mark.parametrize("text", ["", "  ", "***", "\"'", "😀", "\x00"])
def test_queries_without_words(text: str) -> None:
    assert parse_query(text) is None


def test_a_query_has_an_end() -> None:
    query = parse_query("a-b " * 1000)
    assert query is not None
    assert sum(map(len, query.phrases)) == 32


@pytest.mark.parametrize(
    ("query", "text", "found"),
    [
        ("mer dat", "customer MER data", ["mer", "dat"]),
        ("data base", "database data", ["data"]),
        ("customer_email", "Customer-Email customeremails", ["customer-email", "customeremail"]),
        ("治理", "数据治理 data", ["治理"]),
        ("cafe", "Un café noir", ["cafe"]),
    ],
)
def test_patterns_find_the_phrases(query: str, text: str, found: list[str]) -> None:
    parsed = parse_query(query)
    assert parsed is not None
    assert parsed.pattern().findall(fold(normalize(text))) == found
