"""Plain spans are read on a short way, which leads to the same place as the long one."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.errors import InvalidInput
from app.formats.span_lists import read_spans

TEXT = "Ada met Bo 🚢."
numbers = st.integers(-2, len(TEXT) + 2) | st.sampled_from([1.0, True, None, "1"])
labels = st.sampled_from(["PER", " LOC ", "", "  ", 7, None, ["PER"]])
spans = st.lists(
    st.fixed_dictionaries({"start": numbers, "end": numbers, "label": labels}), max_size=4
)


def read(value: list[dict[str, Any]]) -> Any:
    try:
        return read_spans(value, TEXT, label_map={"PER": "person"}, column="spans")
    except InvalidInput as error:
        return error.message


@given(spans)
def test_spans_that_say_more_are_read_as_those_that_do_not(value: list[dict[str, Any]]) -> None:
    plain, wordy = read(value), read([{**span, "token_start": 0} for span in value])
    if isinstance(plain, str):
        assert isinstance(wordy, str)
        assert plain.partition("unlike")[0] == wordy.partition("unlike")[0]
    else:
        assert plain == wordy
