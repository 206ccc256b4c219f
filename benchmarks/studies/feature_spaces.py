"""Which feature space and metric sees that images got worse?

Real test images are corrupted at growing severity and compared with real training images. A metric
is judged by two numbers for each corruption:

- rank: Spearman's correlation between the severity, 0 to 5, and the metric, signed so that 1 means
  that every step made the score worse;
- seen: the share of the five severities whose score is worse than that of each of five sets of real
  test images. It tells how mild a corruption the metric still sees.

DATA holds fashion-mnist/ and mnist/ (the idx files of their authors) and cifar10/ (images
0 to 9 999 as lossless mosaics of 40 × 25):

    python benchmarks/studies/feature_spaces.py --data DATA --out benchmarks/results/x.json
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from corruptions import Real, cifar10, corrupted, fashion_mnist
from scipy.stats import spearmanr
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import gentex
from gentex import Encoder, ImageShape
from gentex.metrics import (
    frechet_distance,
    kernel_distance,
    precision_recall_density_coverage,
    sliced_wasserstein,
    statistics,
)
from gentex.metrics.features import (
    FeatureSpace,
    inception_v1_bvlc,
    mean_over_encoders,
    pixels,
    random_conv,
)
from gentex.metrics.features.simple import RandomConv
from gentex.metrics.wasserstein import cut_patches, sliced_distance

Measure = Callable[[Tensor], dict[str, float]]
"""From images to scores by name, each the worse the greater."""


class PlainRandomConv(RandomConv):
    """What the first layer is without its filters made blind to constants."""

    zero_mean = False


class Classifier(Encoder):
    """Features of a small network trained for an epoch on the very data: in-domain, supervised."""

    dim = 128

    def __init__(self, real: Real, train: Tensor, labels: Tensor) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(
            nn.Conv2d(train.shape[1], 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(64, 128, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )  # fmt: skip
        self.head = nn.Linear(self.dim, 10)
        adam = torch.optim.Adam(self.parameters(), lr=2e-3)
        for batch in torch.randperm(len(train))[:20_000].split(100):
            loss = cross_entropy(self.head(self.encode(train[batch] / 255)), labels[batch])
            adam.zero_grad()
            loss.backward()
            adam.step()
        with torch.no_grad():
            guesses = self.head(self.encode(real.test[:2000] / 255)).argmax(dim=1)
        self.accuracy = float((guesses == real.labels[:2000]).double().mean())

    def encode(self, images: Tensor) -> Tensor:
        features: Tensor = self.body(2 * images - 1)
        return features
