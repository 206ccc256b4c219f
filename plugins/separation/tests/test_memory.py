"""The memory that a photograph of 12 megapixels takes, in a process of its own."""

import json
import subprocess
import sys

import pytest
from gentex_separation.cards import CLASSIC

PEAK = """
import json, resource, sys
import torch
import gentex
from gentex.separation import separate_tiled
torch.set_num_threads(1)
name, hyperparameters, tiled = json.loads(sys.argv[1])
coarse = torch.rand(1, 3, 375, 500, generator=torch.Generator().manual_seed(0))
image = torch.nn.functional.interpolate(coarse, scale_factor=8, mode="bilinear")
separator = gentex.create(name, image=gentex.ImageShape(3, 3000, 4000), **hyperparameters).eval()
layers = separate_tiled(separator, image) if tiled else separator.separate(image)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""
# The peak of an iteration is reached in its first rounds; more would only take longer.
SHORT = {
    "rof": {"tolerance": 1.0},
    "tv-l1": {"tolerance": 1.0},
    "tv-g": {"tolerance": 1.0},
    "rtv": {"rounds": 1, "tolerance": 0.1},
    "l0": {"growth": 100.0},
    "rolling-guidance": {"rounds": 1},
    "mca": {"rounds": 2},
}


CASES = [(card.name, SHORT.get(card.name, {}), False) for card in CLASSIC]
# Networks hold dozens of channels: photographs of this size are separated in tiles.
CASES += [(name, {"weights": "default"}, True) for name in ("unet", "dncnn", "unrolled")]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss counts kilobytes on Linux only")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_a_photograph_of_12_megapixels_takes_less_than_4_gib(case):
    command = [sys.executable, "-c", PEAK, json.dumps(case)]
    peak = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert peak < 4 * 2**30
