"""Architectures are built by name; a name, keyword or value that cannot be is refused in words."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gentex
from gentex import errors

IMAGE = (3, 8, 8)


@pytest.fixture(autouse=True)
def _architectures(site):
    site.registry().add_file(Path(__file__).with_name("assorted_plugin.py"))


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    a, b = ({**dict(m.named_parameters()), **dict(m.named_buffers())} for m in (one, other))
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_create_gives_the_values_and_remembers_them():
    model = gentex.create("small", image=IMAGE, width=6, betas=[0.1, 0.2], depth=2)
    assert model.values == (6, 0.5, "fast", (0.1, 0.2), 2, True)
    assert model.image == gentex.ImageShape(3, 8, 8)
    assert model.training
    assert model.config == {
        "architecture": "assorted_plugin:small",
        "plugin": {"distribution": "", "version": ""},
        "image": [3, 8, 8],
        "hyperparameters": {
            "width": 6,
            "rate": 0.5,
            "mode": "fast",
            "betas": (0.1, 0.2),
            "depth": 2,
            "bias": True,
        },
    }


def test_an_unknown_keyword_names_the_closest_and_all_accepted():
    with pytest.raises(errors.HyperparameterError) as raised:
        gentex.create("small", image=IMAGE, widht=6)
    assert str(raised.value) == (
        "small has no hyperparameter 'widht'; did you mean 'width'? "
        "(accepted: width, rate, mode, betas, depth, bias)"
    )
    with pytest.raises(TypeError, match=r"tied has no hyperparameter 'width' \(accepted: none\)"):
        gentex.create("tied", image=IMAGE, width=6)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"width": "wide"}, "small: width='wide': .*valid integer"),
        ({"width": 2.5}, "small: width=2.5: .*valid integer"),
        ({"width": None}, "small: width=None: .*valid integer"),
        ({"rate": []}, r"small: rate=\[\]: .*valid number"),
        ({"mode": "medium"}, "small: mode='medium': .*'fast' or 'slow'"),
        ({"betas": (1, 2, 3)}, r"small: betas=\(1, 2, 3\): .*at most 2"),
        ({"depth": "deep"}, "small: depth='deep': .*valid integer"),
        ({"bias": "perhaps"}, "small: bias='perhaps': .*valid boolean"),
        ({"width": 0}, "width=0: at least 1"),
    ],
    ids=str,
)
def test_a_value_of_the_wrong_type(values, message):
    with pytest.raises(errors.HyperparameterError, match=message):
        gentex.create("small", image=IMAGE, **values)


def test_values_as_text_become_what_they_say():
    model = gentex.create("small", image=IMAGE, width="6", rate="0.25", bias="false", depth="2")
    assert model.values == (6, 0.25, "fast", (0.5, 0.9), 2, False)


def test_a_type_that_only_the_constructor_can_judge_is_passed_on():
    thing = object()
    assert gentex.create("opaque", image=IMAGE, thing=thing).thing is thing


def test_a_missing_hyperparameter():
    with pytest.raises(errors.HyperparameterError, match="needy needs the hyperparameter 'width'"):
        gentex.create("needy", image=IMAGE)


@pytest.mark.parametrize(
    "image", [(3, 8), (3, 8, 8, 8), (3, 0, 8), (3, -8, 8), (3, 8.0, 8), ("3", 8, 8), 8, None, "388"]
)
def test_a_shape_that_is_none(image):
    with pytest.raises(errors.HyperparameterError, match=r"ImageShape\(channels, height, width\)"):
        gentex.create("small", image=image)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("unfinished", r"assorted_plugin:unfinished: Unfinished lacks sample\(\)"),
        ("unreadable", "unreadable: the types in its signature cannot be read: .*'Widht'"),
        ("liar", "assorted_plugin:liar: .*:Liar is no Separator"),
    ],
)
def test_a_class_that_is_not_what_its_card_says(name, message):
    with pytest.raises(errors.PluginError, match=message):
        gentex.create(name, image=IMAGE)


@given(seed=st.integers(0, 2**40), width=st.integers(1, 8))
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_seed_decides_the_weights_and_leaves_the_global_state(seed, width):
    def made(seed: int) -> torch.nn.Module:
        return gentex.create("small", image=IMAGE, width=width, seed=seed)

    torch.manual_seed(1)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    one = made(seed)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])
    assert random.getstate() == before[2]
    torch.manual_seed(2)
    assert same(one, made(seed))
    assert not same(one, made(seed + 1))


def test_without_a_seed_weights_come_from_the_global_state():
    models = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        models.append(gentex.create("small", image=IMAGE))
    assert same(models[0], models[1])
    assert not same(models[0], models[2])
