"""How far a document's local edits are stored, told from the server's answers.

Each edit gets a number. A frame that carries edits covers all up to a number. The server answers every step 2 and every
update once, with "stored" or "refused", and without saying which one it means: updates are answered in the order they
were sent. A step 2 that holds nothing new may be answered ahead of updates that still wait for the disk, so it is put
into one group with whatever is unanswered when it is sent, and the group counts only once all of it is answered.
"""

from collections import deque
from dataclasses import dataclass


@dataclass(slots=True)
class _Group:
    covers: int
    unanswered: int
    refused: bool = False


class Ledger:
    """Counts the edits of one document: made, and stored. `refused` is set once any of them was."""

    def __init__(self, made: int = 0) -> None:
        self.made = made
        self.stored = 0
        self.refused = False
        self._sent: deque[_Group] = deque()

    @property
    def unsaved(self) -> int:
        """How many edits are not known to be stored."""
        return self.made - self.stored

    def edit(self) -> None:
        self.made += 1

    def sent_update(self, later: int = 0) -> None:
        """A frame was sent with the updates of all edits so far, but for the `later` newest."""
        self._sent.append(_Group(self.made - later, 1))

    def sent_state(self) -> None:
        """A step 2, which holds whatever the server lacks, was sent."""
        unanswered = sum(group.unanswered for group in self._sent)
        refused = any(group.refused for group in self._sent)
        self._sent.clear()
        self._sent.append(_Group(self.made, unanswered + 1, refused))

    def answered(self, *, stored: bool) -> None:
        """The server answered the oldest frame. An answer to nothing is ignored."""
        if not self._sent:
            return
        group = self._sent[0]
        group.unanswered -= 1
        group.refused |= not stored
        self.refused |= group.refused
        if group.unanswered == 0:
            self._sent.popleft()
            if not self.refused:
                self.stored = group.covers

    def reset(self) -> None:
        """The connection is gone: what is unanswered will never be, and the next step 2 carries it again."""
        self._sent.clear()
        self.refused = False
