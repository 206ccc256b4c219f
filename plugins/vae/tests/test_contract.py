"""Every architecture keeps the contract: as it is, and with what else it can be given."""

from gentex.testing import parametrize_contract

SMALL = {
    "conv-vae": {"width": 4, "latent": 8},
    "vq-vae": {"width": 4, "latent": 4, "codes": 8, "prior_width": 4, "prior_layers": 2},
    "cnn-autoencoder": {"width": 4, "latent": 8, "components": 2},
}
GAUSSIAN = {"likelihood": "gaussian", "beta": 4.0, "free_bits": 0.1}
BERNOULLI = {"likelihood": "bernoulli", "warmup_steps": 2}


@parametrize_contract("vae", hyperparameters=SMALL)
def test_contract(check):
    check()


@parametrize_contract("vae", hyperparameters=SMALL | {"conv-vae": SMALL["conv-vae"] | GAUSSIAN})
def test_contract_with_the_gaussian_likelihood(check):
    check()


@parametrize_contract("vae", hyperparameters=SMALL | {"conv-vae": SMALL["conv-vae"] | BERNOULLI})
def test_contract_with_the_bernoulli_likelihood(check):
    check()
