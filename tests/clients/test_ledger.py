"""What counts as stored: never more than the answers say."""

from collab_studio.ledger import Ledger


def edited(times: int, ledger: Ledger) -> None:
    for _ in range(times):
        ledger.edit()


def test_an_edit_is_unsaved_until_its_frame_is_answered() -> None:
    ledger = Ledger()
    edited(2, ledger)
    ledger.sent_update()
    edited(1, ledger)
    assert ledger.unsaved == 3
    ledger.answered(stored=True)
    assert (ledger.stored, ledger.unsaved) == (2, 1)


def test_frames_of_one_turn_cover_only_their_own_edits() -> None:
    ledger = Ledger()
    edited(5, ledger)
    ledger.sent_update(later=2)
    ledger.sent_update()
    ledger.answered(stored=True)
    assert ledger.stored == 3
    ledger.answered(stored=True)
    assert ledger.stored == 5


def test_a_state_among_updates_counts_when_all_of_them_are_answered() -> None:
    ledger = Ledger()
    edited(1, ledger)
    ledger.sent_update()
    ledger.sent_state()
    ledger.answered(stored=True)
    assert ledger.stored == 0
    ledger.answered(stored=True)
    assert ledger.stored == 1


def test_what_follows_a_refused_edit_does_not_count() -> None:
    ledger = Ledger()
    edited(1, ledger)
    ledger.sent_update()
    edited(1, ledger)
    ledger.sent_update()
    ledger.answered(stored=False)
    ledger.answered(stored=True)
    assert ledger.refused
    assert ledger.unsaved == 2


def test_a_new_connection_starts_over_with_everything_unanswered() -> None:
    ledger = Ledger()
    edited(3, ledger)
    ledger.sent_update(later=2)
    ledger.answered(stored=True)
    ledger.sent_update()
    ledger.answered(stored=False)
    ledger.reset()
    assert not ledger.refused
    assert ledger.unsaved == 2
    ledger.sent_state()
    ledger.answered(stored=True)
    assert ledger.unsaved == 0


def test_an_answer_to_nothing_is_ignored() -> None:
    ledger = Ledger(made=1)
    ledger.answered(stored=True)
    assert ledger.unsaved == 1
