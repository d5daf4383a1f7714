"""The shape of a value, without the value."""

from __future__ import annotations

_LONGEST = 40


def masked(value: str) -> str:
    """Letters as x or X, digits as 9, other signs of ASCII as they are; long ones cut. No character is given away."""
    cut = "".join(map(_mask, value[:_LONGEST]))
    return f"{cut}… ({len(value)} characters)" if len(value) > _LONGEST else cut


def _mask(character: str) -> str:
    if character.isdigit():
        return "9"
    if character.isalpha() or not character.isascii() or not character.isprintable():
        return "X" if character.isupper() else "x"
    return character
