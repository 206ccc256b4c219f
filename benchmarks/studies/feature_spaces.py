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
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from corruptions import Real, cifar10, corrupted, fashion_mnist
from readable import readable
from scipy.stats import spearmanr
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, cross_entropy, pad

from gentex import Encoder, ImageShape
from gentex.bench.environment import environment
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
"""From images to scores by metric, the greater the worse."""

CORRUPTED = 1000
FLOORS = 5


class BrightnessToo(RandomConv):
    """The default's network without what keeps its first filters blind to brightness."""

    zero_mean = False


class PlainRandomConv(BrightnessToo):
    """A textbook random network: neither normalised vectors nor logarithms; average pools."""

    def encode(self, images: Tensor) -> Tensor:
        x, means = 4 * images - 2, []
        for depth, filters in enumerate(self.filters):
            if depth:
                x = avg_pool2d(x, 2, ceil_mode=True)
            x = conv2d(pad(x, (1, 1, 1, 1), mode="replicate"), filters).relu()
            means.append(x.mean(dim=(2, 3)))
        return torch.cat(means, dim=1)


class Classifier(Encoder):
    """A small network trained to classify the very data: in-domain, supervised features."""

    dim = 128

    def __init__(self, real: Real) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(
            nn.Conv2d(real.train.shape[1], 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(64, 128, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )  # fmt: skip
        self.head = nn.Linear(self.dim, 10)
        adam = torch.optim.Adam(self.parameters(), lr=3e-3)
        for _ in range(-(-12_000 // len(real.train))):
            for batch in torch.randperm(len(real.train))[:12_000].split(64):
                images, labels = real.train[batch] / 255, real.train_labels[batch]
                loss = cross_entropy(self.head(self.encode(images)), labels)
                adam.zero_grad()
                loss.backward()
                adam.step()

    def encode(self, images: Tensor) -> Tensor:
        features: Tensor = self.body(2 * images - 1)
        return features

    @torch.no_grad()
    def accuracy(self, real: Real) -> float:
        guesses = self.head(self.encode(real.test[:1000] / 255)).argmax(dim=1)
        return float((guesses == real.test_labels[:1000]).double().mean())


# ------------------------------------------------------------------------------ the measures


def in_space(space: FeatureSpace, real: Tensor) -> Measure:
    """Every metric of features, in one space."""
    reference = space.features(real)
    gaussians = [statistics(features) for features in reference]

    def measure(images: Tensor) -> dict[str, float]:
        features = space.features(images)
        near = mean_over_encoders(precision_recall_density_coverage, reference, features)
        assert isinstance(near, dict)
        distances = zip(gaussians, reference, features, strict=True)
        pairs = [(frechet_distance(g, x), kernel_distance(r, x)) for g, r, x in distances]
        fd, kid = (sum(values) / len(values) for values in zip(*pairs, strict=True))
        return {"FD": fd, "KID": kid, **{name: -value for name, value in near.items()}}

    return measure


def of_patches(real: Tensor) -> Measure:
    """Sliced Wasserstein, patches whitened by their own moments, or all by those of the real."""

    def measure(images: Tensor) -> dict[str, float]:
        rng = torch.Generator().manual_seed(0)
        by_real = []
        for x, y in zip(*(cut_patches(x, 2**15, rng) for x in (real, images)), strict=True):
            mean, deviation = x.mean(dim=(0, 2), keepdim=True), x.std(dim=(0, 2), keepdim=True)
            points = [((patches - mean) / deviation).flatten(1) for patches in (x, y)]
            by_real.append(sliced_distance(points[0], points[1], 64, rng))
        return {
            "SWD": sliced_wasserstein(real, images),
            "SWD, all by real moments": sum(by_real) / len(by_real),
        }

    return measure


def spaces(real: Real, weights: Path | None) -> dict[str, FeatureSpace]:
    """What is compared, by the name in the table."""
    image = ImageShape(*real.train.shape[1:])

    def one(network: type[RandomConv]) -> FeatureSpace:
        return FeatureSpace("", (network(image),))

    if weights:
        return {"inception-v1-bvlc": inception_v1_bvlc(image, weights=weights)}
    classifier = Classifier(real)
    return {
        "random-conv": random_conv(image),
        "one network": one(RandomConv),
        "one network, brightness too": one(BrightnessToo),
        "one plain network": one(PlainRandomConv),
        f"classifier ({classifier.accuracy(real):.0%} right)": FeatureSpace("", (classifier,)),
        "pixels": pixels(image),
    }


# --------------------------------------------------------------------------------- the study


def judge(measure: Measure, floors: list[Tensor], sets: dict[str, list[Tensor]]) -> dict[str, Any]:
    """By metric and corruption: rank and seen; and both over all corruptions."""
    floor = [measure(images) for images in floors]
    report: dict[str, Any] = {metric: {} for metric in floor[0]}
    for corruption, levels in sets.items():
        scores = [measure(images) for images in levels]
        for metric, judged in report.items():
            values = [floor[0][metric], *(score[metric] for score in scores)]
            bar = max(score[metric] for score in floor)
            judged[corruption] = {
                "rank": _rank(values),
                "seen": sum(value > bar for value in values[1:]) / len(levels),
                "values": values,
            }
    for metric, judged in report.items():
        judged["floor"] = [score[metric] for score in floor]
        for key in ("rank", "seen"):
            judged[key] = sum(judged[corruption][key] for corruption in sets) / len(sets)
    return report


def _rank(values: list[float]) -> float:
    """Spearman's correlation with 0, 1, 2, ...; 0 where nothing changes."""
    return float(spearmanr(range(len(values)), values).statistic) if len(set(values)) > 1 else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--weights", type=Path, help="measure in inception-v1-bvlc, and only there")
    parser.add_argument("--count", type=int, default=CORRUPTED, help="images in every set")
    parser.add_argument("--every", type=int, default=1, help="take every so many-th severity")
    options = parser.parse_args()
    torch.set_num_threads(1)
    began = time.process_time()
    record: dict[str, Any] = {
        "what": "how well metrics rank corruptions of real images, by feature space",
        "command": " ".join(["python", *sys.argv]).replace(str(options.data), "DATA"),
        "images_per_set": options.count,
        "environment": environment(),
        "results": {},
    }
    for name, load in {"Fashion-MNIST": fashion_mnist, "CIFAR-10": cifar10}.items():
        real = load(options.data)
        reference = real.train[: options.count]
        floors = list(real.test.split(options.count))[:FLOORS]
        sets = {
            corruption: levels[:: options.every]
            for corruption, levels in corrupted(real, options.count).items()
        }
        measures = {key: in_space(x, reference) for key, x in spaces(real, options.weights).items()}
        if not options.weights:
            measures["patches"] = of_patches(reference)
        record["results"][name] = results = {}
        for key, measure in measures.items():
            results[key] = judge(measure, floors, sets)
            for metric, judged in results[key].items():
                print(f"{name:14s} {key:28s} {metric:18s} rank {judged['rank']:5.2f} ", end="")
                print(f"seen {judged['seen']:4.0%}", flush=True)
            record["cpu_seconds"] = time.process_time() - began
            options.out.write_text(readable(record), encoding="utf-8")


if __name__ == "__main__":
    main()
