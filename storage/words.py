"""Words as the search knows them: cut and folded here, so that both databases find the same.

Case, accents and what letters look like (full-width, ligatures) make no difference. Each character of a script
without spaces is a word by itself; whoever looks for several side by side looks for a phrase.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

# Kana, Han ideographs, Thai, Lao, Myanmar, Khmer.
_NO_SPACES = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3041-\u3096\u30a1-\u30fa\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U000323af"
)

# Stands where a combining mark was. No text holds it: it is not a character.
_MARK = "\ufdd0"

_LETTER = rf"[^\W_{_NO_SPACES}]"
_WORD = re.compile(rf"[{_NO_SPACES}]|{_LETTER}+(?:{_MARK}+{_LETTER}*)*")
_ALONE = re.compile(rf"[{_NO_SPACES}]")

# Nobody types more, and PostgreSQL refuses words over 2,046 bytes.
_LONGEST_WORD = 64


class _Folding(dict[int, str]):
    """Maps each character to one character, so that places in a folded text are places in the text."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        self[code] = folded = _MARK if unicodedata.category(character) in ("Mn", "Mc") else _plain(character)
        return folded


def _plain(character: str) -> str:
    # Twice: mathematical capitals, for one, become capitals first.
    for _ in range(2):
        lower = character.casefold()
        letters = [c for c in unicodedata.normalize("NFKD", lower) if not unicodedata.combining(c)]
        # A Hangul syllable is several letters, and no accents on the first of them.
        character = lower if len(lower) == 1 and len(letters) != 1 else letters[0]
    return character


_FOLDING = _Folding()


def normalize(text: str) -> str:
    """The text with accents on their letters where Unicode has such letters, and without what databases refuse."""
    return unicodedata.normalize("NFC", text.replace("\x00", " ").encode(errors="replace").decode())


def fold(text: str) -> str:
    """The text in one case and without accents, as long as it was. The text has to be normalized."""
    return text.lower() if text.isascii() else text.translate(_FOLDING)


def cut(text: str) -> Iterator[str]:
    """The words of a normalized text, folded."""
    for match in _WORD.finditer(fold(text)):
        yield match[0].replace(_MARK, "")[:_LONGEST_WORD]


@dataclass(frozen=True, slots=True)
class Query:
    """What somebody looks for: every one of the phrases, the last of which may be the beginning of something."""

    phrases: tuple[tuple[str, ...], ...]

    def pattern(self) -> re.Pattern[str]:
        """Finds the phrases in folded text."""
        *whole, last = self.phrases
        return re.compile(
            "|".join([*(_phrase_pattern(phrase) + _end(phrase) for phrase in whole), _phrase_pattern(last)])
        )


def parse_query(text: str, *, most_words: int = 32) -> Query | None:
    """What is between blanks is a phrase of the words in it. None if there are no words. Never fails."""
    phrases: list[tuple[str, ...]] = []
    room = most_words
    for part in normalize(text[:1000]).split():
        phrase = tuple(cut(part))[:room]
        room -= len(phrase)
        if phrase:
            phrases.append(phrase)
    return Query(tuple(phrases)) if phrases else None


def _phrase_pattern(phrase: tuple[str, ...]) -> str:
    # A word does not begin inside another; a character that is a word by itself may follow anything.
    start = "" if _ALONE.match(phrase[0]) else rf"(?<!{_LETTER})"
    return start + r"[\W_]*".join(map(re.escape, phrase))


def _end(phrase: tuple[str, ...]) -> str:
    return "" if _ALONE.match(phrase[-1]) else rf"(?!{_LETTER})"
