"""An error names the closest of what is allowed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gentex import GentexError, errors

NAMES = ["dcgan", "r3gan", "conv-vae", "folder", "FID"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [("dcgna", "dcgan"), ("DCGAN", "dcgan"), ("conv_vae", "conv-vae"), ("fid", "FID")],
)
def test_the_closest_name(name, meant):
    assert str(errors.unknown("thing", name, NAMES)) == (
        f"no thing {name!r}; did you mean {meant!r}?"
    )


def test_where_nothing_is_close_everything_is_named():
    assert errors.closest("xyzzy", ["b", "a", "b"]) == "; there are: a, b"
    assert errors.closest("xyzzy", []) == "; there is none"


names = st.lists(st.text(min_size=1), min_size=1, unique_by=str.casefold)


@given(names=names, data=st.data())
def test_a_name_in_another_case_is_found(names, data):
    name = data.draw(st.sampled_from(names))
    assert errors.closest(name.casefold(), names) == f"; did you mean {name!r}?"


@given(names=names, name=st.text())
def test_only_allowed_names_are_suggested(names, name):
    tail = errors.closest(name, names)
    suggested = {f"; did you mean {allowed!r}?" for allowed in names}
    assert tail in suggested or tail == f"; there are: {', '.join(sorted(names))}"


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (errors.UnknownNameError, LookupError),
        (errors.AmbiguousNameError, LookupError),
        (errors.HyperparameterError, TypeError),
        (errors.PluginError, Exception),
        (errors.DataError, Exception),
        (errors.CheckpointError, Exception),
        (errors.TrainingError, Exception),
        (errors.SuiteError, Exception),
    ],
)
def test_one_base_catches_them_all_and_they_read_as_written(error, builtin):
    assert issubclass(error, GentexError)
    assert issubclass(error, builtin)
    assert str(error("no thing 'x'")) == "no thing 'x'"  # a KeyError would quote it
