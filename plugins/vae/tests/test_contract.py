"""Every architecture keeps the contract: as it is, and with what else it can be given."""

from gentex.testing import parametrize_contract

SMALL = {
    "conv-vae": {"width": 4, "latent": 8},
    "vq-vae": {"width": 16, "latent": 4, "codes": 8, "prior_width": 4, "prior_layers": 2},
    "cnn-autoencoder": {"width": 4, "latent": 8, "components": 2},
}
VARIANTS = {
    "conv-vae": {"likelihood": "bernoulli", "beta": 4.0, "free_bits": 0.1, "warmup_steps": 2},
    "vq-vae": {"halvings": 3},
    "cnn-autoencoder": {"components": 20},
}


@parametrize_contract("vae", hyperparameters=SMALL)
def test_contract(check):
    check()


@parametrize_contract("vae", hyperparameters={name: SMALL[name] | VARIANTS[name] for name in SMALL})
def test_contract_of_variants(check):
    check()
