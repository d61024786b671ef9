"""Messages come through a pipe whole, in order, whatever they hold and however the pipe cuts them."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootfruit_checks.engines.vllm import pipe

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


class Dribble(io.RawIOBase):
    """A stream that gives a byte or a few at a time, as a pipe may."""

    def __init__(self, value, step):
        self._value, self._step = value, step

    def read(self, count=-1):
        part, self._value = self._value[: min(self._step, count)], self._value[min(self._step, count) :]
        return part


@given(st.lists(VALUES, max_size=5), st.integers(1, 9))
def test_what_is_written_is_read(messages, step):
    out = io.BytesIO()
    for message in messages:
        pipe.write(out, message)
    stream = Dribble(out.getvalue(), step)
    assert [pipe.read(stream) for _ in messages] == messages
    with pytest.raises(EOFError):
        pipe.read(stream)


@given(st.data())
def test_a_cut_message_is_an_end_and_not_a_message(data):
    out = io.BytesIO()
    pipe.write(out, {"answers": [[0, [1, 2, 3]]]})
    whole = out.getvalue()
    with pytest.raises(EOFError):
        pipe.read(io.BytesIO(whole[: data.draw(st.integers(0, len(whole) - 1))]))


def test_a_print_in_between_is_seen():
    out = io.BytesIO()
    pipe.write(out, 1)
    out.write(b"INFO: a library talks\n")
    stream = io.BytesIO(out.getvalue())
    assert pipe.read(stream) == 1
    with pytest.raises(ValueError, match="where a message should begin"):
        pipe.read(stream)
