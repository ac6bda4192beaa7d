"""A text is found however its accents and capitals are written."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from integration.models.folding import folded


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Genève", "geneve"),
        ("Gene\u0300ve", "geneve"),
        ("GROSSE STRAßE", "grosse strasse"),
        ("ıİ", "ii"),
        ("ﬁn 東京 Київ", "fin 東京 киів"),
        ("Ångström 12", "angstrom 12"),
    ],
)
def test_accents_and_capitals_go(text: str, plain: str) -> None:
    assert folded(text) == plain


@given(st.text())
@example("".join(map(chr, range(0xC0, 0x250))))
def test_every_sign_goes_as_it_would_by_itself(text: str) -> None:
    apart = unicodedata.normalize("NFKD", text)
    bare = "".join(sign for sign in apart if not unicodedata.combining(sign))

    assert folded(text) == bare.casefold().replace("ı", "i")
