"""The contract that every architecture is held to, as a pytest parametrisation.

A plugin's test file needs four lines:

    from gentex.testing import parametrize_contract

    @parametrize_contract("my-plugin", hyperparameters={"my-gan": {"width": 4}})
    def test_contract(check):
        check()

`pip install 'gentex[testing]'` brings what it needs.
"""

from gentex.testing.contract import CHECKS, contract, parametrize_contract
from gentex.testing.subject import Subject

__all__ = ["CHECKS", "Subject", "contract", "parametrize_contract"]
