"""Which numbers of a document's log a room has taken in: all up to one, and now and then a range beyond a gap."""


class LogPosition:
    """`until` is the number up to which nothing is missing."""

    __slots__ = ("_beyond", "until")

    def __init__(self, until: int) -> None:
        self.until = until
        self._beyond: dict[int, int] = {}

    @property
    def has_gap(self) -> bool:
        """Whether numbers are known to exist before some that were taken in."""
        return bool(self._beyond)

    def add(self, first: int, last: int) -> None:
        """The updates `first` to `last` were taken in."""
        if first > self.until + 1:
            self._beyond[first] = max(last, self._beyond.get(first, 0))
            return
        self.until = max(self.until, last)
        while self._beyond:
            start = min(self._beyond)
            if start > self.until + 1:
                return
            self.until = max(self.until, self._beyond.pop(start))

    def holds(self, number: int) -> bool:
        return number <= self.until or any(first <= number <= last for first, last in self._beyond.items())
