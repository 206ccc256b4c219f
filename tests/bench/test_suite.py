from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gentex
from gentex.bench.suite import (
    Entry,
    Suite,
    find_suite,
    make_suite,
    packaged_suites,
    parse_budget,
    parse_entry,
    parse_seeds,
)
from gentex.errors import GentexError, HyperparameterError, SuiteError, UnknownNameError
from gentex.factory import check_hyperparameters, hyperparameters
from gentex.registry import import_target, registry

SUITES = sorted((Path(__file__).parents[2] / "benchmarks/suites").glob("*.toml"))

values = st.one_of(
    st.integers(-1000, 1000),
    st.floats(allow_nan=False, allow_infinity=False, width=32).map(lambda x: round(x, 3)),
    st.booleans(),
    st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True).filter(
        lambda word: word not in ("true", "false", "inf", "nan")
    ),
)


@given(
    st.from_regex(r"[a-z][a-z0-9:/@.-]{0,12}", fullmatch=True),
    st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), values, max_size=4),
)
def test_an_entry_is_read_back_as_it_is_shown(name: str, parameters: dict[str, object]) -> None:
    entry = Entry(name=name, parameters=parameters)
    assert parse_entry(str(entry)) == entry
    assert parse_entry({"name": name, **parameters}) == entry


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("dcgan", {}),
        ("dcgan[width=32, lr=1e-3]", {"width": 32, "lr": 1e-3}),
        ("x[widths=[1, 2], name=relu]", {"widths": [1, 2], "name": "relu"}),
        ("x[augment='color,cutout',n=1]", {"augment": "color,cutout", "n": 1}),
    ],
)
def test_entries(text: str, parameters: dict[str, object]) -> None:
    assert parse_entry(text).parameters == parameters


def test_budgets_and_seeds() -> None:
    assert parse_budget("500steps, 60s") == {"steps": 500, "seconds": 60}
    assert parse_budget("20000 images") == {"images": 20000}
    assert parse_seeds("0-2,7") == [0, 1, 2, 7]


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[matrix]]\narchitecturs = ['dcgan']", "did you mean 'architectures'?"),
        ("[[matrix]]\narchitectures = ['dcgan']\nbudget = {step = 3}", "did you mean 'steps'?"),
        ("[[matrix]]\narchitectures = ['dcgan']\nbudget = '3 hours'", "500steps"),
        ("[[matrix]]\narchitectures = ['dcgan[width]']", "key=value"),
        ("[[matrix]]\narchitectures = []", "matrix.0.architectures"),
        ("[[matrix]]\narchitectures = ['dcgan']\nseeds = 'x'", "0,1,2 or 0-4"),
        ("sumary = 'x'\n[[matrix]]\narchitectures = ['dcgan']", "did you mean 'summary'?"),
        ("matrix = 3", "matrix"),
        ("not toml", "is not TOML"),
    ],
)
def test_mistakes_in_a_suite_are_explained(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SuiteError, match=says.replace("?", r"\?")):
        find_suite(write(tmp_path / "mine.toml", text))


def test_a_suite_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(GentexError, match="did you mean 'quick'"):
        find_suite("quik")
    with pytest.raises(SuiteError, match="cannot be read"):
        find_suite(str(tmp_path / "none.toml"))


def test_packaged_suites_parse() -> None:
    assert "quick" in [suite.name for suite in packaged_suites()]
    assert all(suite.summary for suite in packaged_suites())


def check_names(suite: Suite) -> None:
    """Raise where a name, a parameter, an option or a keyword of a suite does not exist."""
    for matrix in suite.matrix:
        task = registry().resolve("task", matrix.task)
        check_hyperparameters(import_target(task), matrix.options, matrix.task)
        if "features" in matrix.options:
            registry().resolve("features", matrix.options["features"])
        for entry in matrix.architectures:
            found = registry().resolve("architecture", entry.name)
            assert set(task.card.interfaces) <= set(found.card.interfaces), entry
            check_hyperparameters(import_target(found), entry.parameters, entry.name)
        for entry in matrix.datasets:
            found = registry().resolve("dataset", entry.name)
            given = {"split": "train", "argument": found.argument, "root": None}
            check_hyperparameters(import_target(found), given | entry.parameters, entry.name)
        assert set(matrix.training) <= set(hyperparameters(gentex.train))


@pytest.mark.parametrize("path", SUITES, ids=lambda path: path.stem)
def test_all_that_a_suite_names_exists(path: Path) -> None:
    suite = find_suite(str(path))
    assert suite.summary
    check_names(suite)


@pytest.mark.parametrize(
    ("matrix", "error"),
    [
        ({"architectures": ["dcgna"]}, UnknownNameError),
        ({"architectures": ["dcgan[widht=3]"]}, HyperparameterError),
        ({"architectures": ["dcgan"], "datasets": ["digits[sice=3]"]}, HyperparameterError),
        ({"architectures": ["dcgan"], "options": {"sample": 3}}, HyperparameterError),
        ({"architectures": ["dcgan"], "options": {"features": "pixel"}}, UnknownNameError),
        ({"architectures": ["dcgan"], "training": {"emma": 0.9}}, AssertionError),
        ({"architectures": ["rof"]}, AssertionError),
    ],
)
def test_names_that_do_not_exist_are_found(matrix: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        check_names(make_suite("x", {"matrix": [matrix]}))


def test_suites_for_a_cpu_and_for_a_gpu_are_there() -> None:
    assert {"generation", "generation-gpu"} <= {path.stem for path in SUITES}


def test_defaults() -> None:
    (matrix,) = make_suite("x", {"matrix": [{"architectures": ["dcgan"]}]}).matrix
    assert matrix.task == "generation@1"
    assert [str(entry) for entry in matrix.datasets] == ["photo-textures"]
    assert matrix.seeds == (0,)
