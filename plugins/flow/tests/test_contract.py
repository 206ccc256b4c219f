"""Every architecture keeps the contract: as it is, and with what else it can be given."""

import pytest

import gentex
from gentex import ImageShape
from gentex.errors import HyperparameterError
from gentex.testing import parametrize_contract

SMALL = {
    "flow-matching": {"width": 8, "evaluations": 4},
    "edm": {"width": 8, "steps": 2},
}
VARIANTS = {
    "flow-matching": {
        "patch": 2,
        "blocks": 2,
        "dropout": 0.1,
        "coupling": "ot",
        "time": "logit-normal",
        "solver": "adaptive",
    },
    "edm": {"patch": 2, "blocks": 2, "dropout": 0.1, "steps": 1},
}


@parametrize_contract("flow", hyperparameters=SMALL)
def test_contract(check):
    check()


@parametrize_contract("flow", hyperparameters={n: SMALL[n] | VARIANTS[n] for n in SMALL})
def test_contract_of_variants(check):
    check()


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"width": 0}, "width=0"),
        ({"blocks": 0}, "blocks=0"),
        ({"patch": 0}, "patch=0"),
        ({"dropout": 1.0}, "dropout=1.0"),
        ({"lr": 0.0}, "lr=0.0"),
    ],
    ids=str,
)
def test_values_that_are_refused(name, wrong, says):
    with pytest.raises(HyperparameterError, match=says):
        gentex.create(name, image=ImageShape(1, 16, 16), **SMALL[name] | wrong)
