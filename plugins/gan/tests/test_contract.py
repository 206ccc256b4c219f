"""Every architecture keeps the contract: as it is, and with what else it can be given."""

import pytest

import gentex
from gentex import ImageShape
from gentex.errors import HyperparameterError
from gentex.testing import parametrize_contract

SMALL = {
    "dcgan": {"width": 4, "latent": 8},
    "wgan-gp": {"width": 4, "latent": 8, "n_critic": 2},
    "sngan": {"width": 4, "latent": 8, "n_critic": 2},
    "r3gan": {"width": 16, "latent": 8},
}
VARIANTS = {
    "dcgan": {"augment": "color,translation,cutout"},
    "wgan-gp": {"augment": "ada", "reg_every": 2, "truncation": 0.5},
    "sngan": {"classes": 2, "augment": "translation"},
    "r3gan": {"classes": 2, "reg_every": 2, "augment": "ada"},
}


@parametrize_contract("gan", hyperparameters=SMALL)
def test_contract(check):
    check()


@parametrize_contract("gan", hyperparameters={name: SMALL[name] | VARIANTS[name] for name in SMALL})
def test_contract_of_variants(check):
    check()


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"width": 0}, "width=0"),
        ({"latent": -1}, "latent=-1"),
        ({"lr": 0.0}, "lr=0.0"),
        ({"beta1": 1.0}, "beta1=1.0"),
        ({"truncation": -0.5}, "truncation=-0.5"),
        ({"augment": "colour"}, "did you mean 'color'"),
        ({"augment": "ada,cutout"}, "'ada' stands alone"),
    ],
    ids=str,
)
def test_values_that_are_refused(name, wrong, says):
    with pytest.raises(HyperparameterError, match=says):
        gentex.create(name, image=ImageShape(1, 16, 16), **SMALL[name] | wrong)


@pytest.mark.parametrize("image", [ImageShape(3, 8, 8), ImageShape(3, 32, 512)])
def test_sizes_out_of_range(image):
    with pytest.raises(HyperparameterError, match="16 to 256"):
        gentex.create("dcgan", image=image)


def test_a_size_between_names_the_closest():
    with pytest.raises(HyperparameterError, match=r"multiples of 8 .* closest is 32×40"):
        gentex.create("dcgan", image=ImageShape(3, 33, 42))
