"""Which checks there are for which architecture, and their parametrisation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from gentex.errors import unknown
from gentex.registry import Found, registry
from gentex.testing import cards, models
from gentex.testing.subject import Subject

Check = Callable[[Subject], None]

CHECKS: dict[str, tuple[str, Check]] = {
    "card_is_complete": ("", cards.card_is_complete),
    "paper_is_citable": ("", cards.paper_is_citable),
    "licence_is_spdx": ("", cards.licence_is_spdx),
    "implements_what_its_card_says": ("", models.implements_what_its_card_says),
    "seed_decides_the_weights": ("", models.seed_decides_the_weights),
    "accepts_or_explains_any_image_shape": ("", models.accepts_or_explains_any_image_shape),
    "gradients_reach_every_parameter": ("", models.gradients_reach_every_parameter),
    "training_follows_the_seed": ("", models.training_follows_the_seed),
    "saves_and_loads": ("", models.saves_and_loads),
    "outputs_follow_the_batch_item": ("", models.outputs_follow_the_batch_item),
    "samples_are_images": ("generator", models.samples_are_images),
    "samples_follow_the_rng": ("generator", models.samples_follow_the_rng),
    "features_have_the_stated_size": ("encoder", models.features_have_the_stated_size),
    "layers_add_up": ("separator", models.layers_add_up),
}
"""Check name -> (the interface it applies to, empty for all; the check)."""


def contract(
    plugin: str, *, hyperparameters: Mapping[str, Mapping[str, Any]] | None = None
) -> Iterator[tuple[Found, str, Callable[[], None]]]:
    """Every check of every architecture of a plugin: (its card, the check's name, the check).

    hyperparameters: architecture name -> what to build it with, to keep the checks quick.
    """
    found = [f for f in registry().found("architecture") if f.plugin.name == plugin]
    if not found:
        raise unknown("plugin with architectures", plugin, _plugins())
    names = {f.card.name for f in found}
    given = dict(hyperparameters or {})
    for name in given:
        if name not in names:
            raise unknown(f"architecture of plugin {plugin!r}", name, names)
    for each in found:
        subject = Subject(each, dict(given.get(each.card.name, {})))
        for name, (interface, check) in CHECKS.items():
            if not interface or interface in each.card.interfaces:
                yield each, name, partial(check, subject)


def parametrize_contract(
    plugin: str,
    *,
    hyperparameters: Mapping[str, Mapping[str, Any]] | None = None,
    expected_failures: Mapping[tuple[str, str], str] | None = None,
) -> Any:
    """A pytest decorator for `def test_contract(check): check()`.

    expected_failures: (architecture, check) -> the reason why it cannot hold; such a test must
        fail, and is reported as an expected failure with that reason.
    """
    import pytest

    expected = dict(expected_failures or {})
    parameters = []
    for found, name, check in contract(plugin, hyperparameters=hyperparameters):
        reason = expected.pop((found.card.name, name), None)
        marks = [pytest.mark.xfail(reason=reason, strict=True)] if reason else []
        parameters.append(pytest.param(check, id=f"{found.card.name}-{name}", marks=marks))
    if expected:
        raise unknown("check", "-".join(next(iter(expected))), [str(p.id) for p in parameters])
    return pytest.mark.parametrize("check", parameters)


def _plugins() -> set[str]:
    return {found.plugin.name for found in registry().found("architecture")}
