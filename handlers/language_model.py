"""An optional language model that puts sentences in other words. It is never asked for a figure.

Any server that speaks the chat completions of OpenAI's API will do. What it answers is only taken where every number
and every name of the sentence is in it, and no other number.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from handlers.outgoing import NotAllowed, OutgoingHttp, SendError

TIMEOUT_SECONDS = 30.0
MAX_ANSWER_BYTES = 256 * 1024
_LONGEST = 1_000
# A number as it is written, its sign and the digits that follow a comma or point; not what is part of a word.
_NUMBER = re.compile(r"(?<![\w.,])[-−+]?\d+(?:[.,:/\-]\d+)*|\d+(?:[.,]\d+)*")
_TASK = (
    "You are given a JSON object of sentences about a table of data, by id. Rewrite each sentence so that it reads "
    "well to a business reader, in the same language. Keep every number, date, percentage and column name exactly as "
    "it is written; add no number, no fact, no judgement. Answer with a JSON object of the same ids and nothing else."
)


class LanguageModelFailed(Exception):
    """It could not be asked, or what came back is no answer; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """Where the model is: `url` up to and without `/chat/completions`."""

    url: str
    model: str
    key: str | None = field(default=None, repr=False)

    async def rephrase(
        self, http: OutgoingHttp, sentences: Mapping[str, str], names: Mapping[str, Sequence[str]]
    ) -> dict[str, str]:
        """Other words for those sentences where nothing got lost; `names` must stay. Raises LanguageModelFailed."""
        answered = await self._ask(http, json.dumps(dict(sentences), ensure_ascii=False))
        return {
            key: " ".join(answered[key].split())
            for key, sentence in sentences.items()
            if isinstance(answered.get(key), str) and says_the_same(sentence, answered[key], names.get(key, ()))
        }

    async def _ask(self, http: OutgoingHttp, content: str) -> dict[str, Any]:
        body = {
            "model": self.model,
            "temperature": 0,
            "messages": [{"role": "system", "content": _TASK}, {"role": "user", "content": content}],
        }
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.key is not None:
            headers["Authorization"] = f"Bearer {self.key}"
        try:
            answer = await http.post(
                f"{self.url}/chat/completions",
                json.dumps(body).encode(),
                headers,
                answer_bytes=MAX_ANSWER_BYTES,
                seconds=TIMEOUT_SECONDS,
            )
        except (NotAllowed, SendError) as error:
            raise LanguageModelFailed(f"the language model was not asked. {error}") from None
        if not answer.is_success:
            raise LanguageModelFailed(f"the language model answered with status {answer.status}.")
        return _sentences(answer.body)


def _sentences(body: bytes) -> dict[str, Any]:
    try:
        text = json.loads(body)["choices"][0]["message"]["content"].strip()
        found = json.loads(re.sub(r"^```(?:json)?\s*|\s*```$", "", text))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise LanguageModelFailed("the language model answered with something else than sentences.")
    return found


def says_the_same(ours: str, theirs: str, names: Sequence[str] = ()) -> bool:
    """Whether every number of ours is in theirs, as often, and no other one; and the names that ours has."""
    if not theirs.strip() or len(theirs) > max(_LONGEST, 3 * len(ours)):
        return False
    if any(name in ours and name not in theirs for name in names):
        return False
    return numbers_in(ours) == numbers_in(theirs)


def numbers_in(text: str) -> Counter[str]:
    """The numbers as they are written, however a minus is."""
    return Counter(found.group().replace("−", "-").lstrip("+") for found in _NUMBER.finditer(text))
