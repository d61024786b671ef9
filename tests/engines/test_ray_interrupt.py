"""Ctrl-C is heeded even where the interrupt was raised in code that swallows it."""

from __future__ import annotations

import signal
import threading

import pytest

from rootfruit_checks.engines.ray.pool import heeded


def interrupt_in_a_destructor():
    class Swallows:
        def __del__(self):
            # Raised within this call; after os.kill the handler may run later, out of the destructor.
            signal.raise_signal(signal.SIGINT)

    Swallows()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_swallowed_interrupt_is_raised_at_the_next_look():
    before = signal.getsignal(signal.SIGINT)
    looked = []

    def work():
        with heeded() as heed:
            heed()
            interrupt_in_a_destructor()
            looked.append("still running: it was swallowed")
            heed()
            looked.append("not heeded")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert looked == ["still running: it was swallowed"]
    assert signal.getsignal(signal.SIGINT) is before


def test_nothing_is_raised_without_one():
    with heeded() as heed:
        heed()


def test_another_thread_has_no_say():
    failed = []

    def other():
        try:
            with heeded() as heed:
                heed()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert not failed
