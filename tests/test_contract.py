"""Each check of `gentex.testing` passes a correct architecture and fails a wrong one."""

from pathlib import Path

import pytest

import gentex.registry
from gentex import errors
from gentex.registry import Registry, registry
from gentex.testing import CHECKS, contract, parametrize_contract

PLUGIN = "wrong_plugin"
RIGHT = ("fine", "identity")


@pytest.fixture(scope="module", autouse=True)
def _plugin():
    with pytest.MonkeyPatch.context() as patch:
        fresh = Registry()
        patch.setattr(gentex.registry, "_registry", lambda: fresh)
        fresh.add_file(Path(__file__).with_name(f"{PLUGIN}.py"))
        yield


@pytest.fixture(scope="module")
def failures():
    """Architecture -> {check it fails: what the check says}."""
    found = {}
    for architecture, name, check in contract(PLUGIN):
        said = found.setdefault(architecture.card.name, {})
        try:
            check()
        except AssertionError as error:
            said[name] = str(error)
    return found


def breaking(check):
    found = registry().found("architecture")
    return [f.card.name for f in found if f.plugin.name == PLUGIN and check in f.card.tags]


@pytest.mark.parametrize("check", CHECKS)
def test_a_wrong_architecture_fails_the_check_and_no_other(check, failures):
    assert breaking(check), f"no architecture in {PLUGIN}.py shows that {check} can fail"
    for name in breaking(check):
        assert failures[name].keys() == {check}, (name, failures[name])
        assert len(failures[name][check]) > 15


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_architecture_passes_every_check(name, failures):
    assert failures[name] == {}


def test_every_wrong_architecture_says_what_it_breaks():
    for found in registry().found("architecture"):
        if found.plugin.name == PLUGIN and found.card.name not in RIGHT:
            assert len(found.card.tags) == 1
            assert found.card.tags[0] in CHECKS


def test_which_checks_apply():
    applied = {}
    for architecture, name, _ in contract(PLUGIN):
        applied.setdefault(architecture.card.name, []).append(name)
    assert applied["fine"] == list(CHECKS)
    everyone = [name for name, (interface, _) in CHECKS.items() if not interface]
    assert applied["identity"] == [*everyone, "layers_add_up"]
    assert applied["glaring"] == [*everyone, "samples_are_images", "samples_follow_the_rng"]


def test_what_the_checks_say(failures):
    said = {name: "; ".join(checks.values()) for name, checks in failures.items()}
    for name, words in {
        "misquoted": "'Family, Given'",
        "unlicensed": "'free for all' is no SPDX expression",
        "moody": "mood differs between two builds with the same seed",
        "choosy": "3×32×32 must build, but: 3×32×32: only images with one or two channels",
        "forgetful": "['gain']",
        "detached": "['gain']",
        "glaring": "samples leave [0, 1]: -",
        "rounded": "samples are torch.uint8",
        "boastful": "gives (4, 2), dim is 3",
    }.items():
        assert words in said[name]


# The parametrisation


def parameters(**options):
    mark = parametrize_contract(PLUGIN, **options).mark
    assert mark.args[0] == "check"
    return {parameter.id: parameter for parameter in mark.args[1]}


def test_tests_are_named_after_architecture_and_check():
    names = parameters()
    assert "fine-saves_and_loads" in names
    assert len(names) == len(list(contract(PLUGIN)))


def test_an_expected_failure_is_one_strict_xfail_with_its_reason():
    found = parameters(expected_failures={("curt", "samples_are_images"): "it says no"})
    marked = {name: parameter.marks for name, parameter in found.items() if parameter.marks}
    assert marked.keys() == {"curt-samples_are_images"}
    ((mark,),) = marked.values()
    assert (mark.name, mark.kwargs) == ("xfail", {"reason": "it says no", "strict": True})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"expected_failures": {("fine", "saves_and_laods"): "…"}},
            "no check 'fine-saves_and_laods'; did you mean 'fine-saves_and_loads'?",
        ),
        (
            {"expected_failures": {("identity", "samples_are_images"): "…"}},
            "no check 'identity-samples_are_images'",
        ),
        ({"hyperparameters": {"fien": {}}}, "did you mean 'fine'?"),
    ],
    ids=["check", "check of another interface", "architecture"],
)
def test_an_unknown_key_is_an_error(options, message):
    with pytest.raises(errors.UnknownNameError) as raised:
        parameters(**options)
    assert message in str(raised.value)


def test_an_unknown_plugin_is_an_error():
    with pytest.raises(errors.UnknownNameError, match="did you mean 'wrong_plugin'"):
        parametrize_contract("wrong_plugn")


def test_hyperparameters_reach_the_model():
    for architecture, _, check in contract(PLUGIN, hyperparameters={"fine": {"dim": 5}}):
        subject = check.args[0]
        assert subject.create().dim == 5 if architecture.card.name == "fine" else True


TESTS = """
from gentex.testing import parametrize_contract

@parametrize_contract(
    "small", hyperparameters={"grey": {"shade": 0.5}},
    expected_failures={
        ("grey", "samples_follow_the_rng"): "always grey",
        ("grey", "samples_are_images"): "wrongly expected",
    },
)
def test_contract(check):
    check()
"""
SMALL = """
import gentex

@gentex.hookimpl
def gentex_cards():
    paper = gentex.Paper("Grey", ("Doe, Jane",), 2020, "Journal of Grey", "doe2020grey")
    return [gentex.Card("grey", "grey:Grey", "All grey.", interfaces=("generator",), paper=paper,
                        license="MIT")]
"""
GREY = """
import torch
import gentex

class Grey(gentex.Generator):
    def __init__(self, image: gentex.ImageShape, *, shade: float = 2.0) -> None:
        super().__init__()
        self.image, self.shade = image, shade

    def sample(self, n, *, rng=None, condition=None):
        return torch.full((n, *self.image), self.shade)
"""


def test_in_the_test_file_of_a_plugin(site, python, tmp_path):
    """Passed, failed as expected, and passed though expected to fail, which is a failure."""
    site.install("small", SMALL)
    (site.folder / "grey.py").write_text(GREY)
    (tmp_path / "test_it.py").write_text(TESTS)
    result = python("-m", "pytest", "test_it.py", "-rA", "-p", "no:cacheprovider")
    assert result.returncode == 1
    assert "XFAIL test_it.py::test_contract[grey-samples_follow_the_rng] - always grey" in (
        result.stdout
    )
    assert "FAILED test_it.py::test_contract[grey-samples_are_images]" in result.stdout
    assert "1 failed, 10 passed, 1 xfailed" in result.stdout
