"""What the server is told, and when listeners hear, in the orders that a network makes."""

from storage.bus.channels import Listener
from storage.bus.subscriptions import Subscriptions


class Heard:
    """A Listener that counts."""

    def __init__(self) -> None:
        self.times_resumed = 0
        self.messages: list[bytes] = []

    def received(self, message: bytes) -> None:
        self.messages.append(message)

    def resumed(self) -> None:
        self.times_resumed += 1


def subscribed(channel: bytes, *listeners: Listener) -> Subscriptions:
    subscriptions = Subscriptions()
    for listener in listeners:
        subscriptions.add(channel, listener)
    assert subscriptions.take_changes() == ([channel], [])
    return subscriptions


def test_nothing_is_heard_before_the_confirmation() -> None:
    one, two = Heard(), Heard()
    subscriptions = subscribed(b"c", one, two)
    subscriptions.deliver(b"c", b"early")
    assert (one.messages, one.times_resumed) == ([], 0)
    subscriptions.confirmed(b"c")
    subscriptions.deliver(b"c", b"late")
    assert (one.messages, one.times_resumed) == (two.messages, two.times_resumed) == ([b"late"], 1)


def test_of_two_confirmations_the_last_counts() -> None:
    """Subscribed, given up and subscribed again before the server answers."""
    first, second = Heard(), Heard()
    subscriptions = subscribed(b"c", first)
    subscriptions.remove(b"c", first)
    assert subscriptions.take_changes() == ([], [b"c"])
    subscriptions.add(b"c", second)
    assert subscriptions.take_changes() == ([b"c"], [])
    subscriptions.confirmed(b"c")
    assert second.times_resumed == 0
    subscriptions.confirmed(b"c")
    assert (first.times_resumed, second.times_resumed) == (0, 1)


def test_a_confirmation_of_what_was_given_up_resumes_nobody() -> None:
    """The server is not yet told that somebody listens again."""
    first, second = Heard(), Heard()
    subscriptions = subscribed(b"c", first)
    subscriptions.remove(b"c", first)
    subscriptions.take_changes()
    subscriptions.add(b"c", second)
    subscriptions.confirmed(b"c")
    assert second.times_resumed == 0
    assert subscriptions.take_changes() == ([b"c"], [])
    subscriptions.confirmed(b"c")
    assert second.times_resumed == 1


def test_what_changes_back_before_it_is_told_is_not_told() -> None:
    listener = Heard()
    subscriptions = subscribed(b"c", listener)
    subscriptions.confirmed(b"c")
    subscriptions.remove(b"c", listener)
    subscriptions.add(b"c", listener)
    assert subscriptions.take_changes() == ([], [])
    assert listener.times_resumed == 2


def test_on_a_new_connection_everything_is_told_again_and_nothing_heard_meanwhile() -> None:
    listener, gone, late = Heard(), Heard(), Heard()
    subscriptions = subscribed(b"c", listener, gone)
    subscriptions.confirmed(b"c")
    subscriptions.remove(b"c", gone)
    subscriptions.start_over()
    subscriptions.add(b"c", late)
    assert subscriptions.take_changes() == ([b"c"], [])
    subscriptions.deliver(b"c", b"lost")
    subscriptions.confirmed(b"c")
    subscriptions.deliver(b"c", b"heard")
    assert (listener.times_resumed, gone.times_resumed, late.times_resumed) == (2, 1, 1)
    assert listener.messages == late.messages == [b"heard"]
    assert gone.messages == []
