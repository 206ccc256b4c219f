"""Every architecture keeps the contract: as it is, and with what else it can be given."""

from gentex.testing import parametrize_contract

SMALL = {"conv-vae": {"width": 4, "latent": 8}}
VARIANTS = {
    "gaussian": {"likelihood": "gaussian", "beta": 4.0, "free_bits": 0.1},
    "bernoulli": {"likelihood": "bernoulli", "warmup_steps": 2},
}


@parametrize_contract("vae", hyperparameters=SMALL)
def test_contract(check):
    check()


@parametrize_contract("vae", hyperparameters={"conv-vae": SMALL["conv-vae"] | VARIANTS["gaussian"]})
def test_contract_of_the_gaussian_likelihood(check):
    check()


@parametrize_contract(
    "vae", hyperparameters={"conv-vae": SMALL["conv-vae"] | VARIANTS["bernoulli"]}
)
def test_contract_of_the_bernoulli_likelihood(check):
    check()
