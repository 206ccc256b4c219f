"""Inception score: sharp and varied class predictions."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gentex.errors import DataError
from gentex.metrics.checks import as_features


def inception_score(logits: Tensor, *, splits: int = 10, seed: int = 2020) -> dict[str, float]:
    """Inception score of generated images from a classifier's logits (N, classes).

    exp of the mean of KL(p(y|x) ‖ p(y)), per split of the shuffled images: the mean over the
    splits, and their standard deviation under `inception_score_std`. Higher is better; it lies
    between 1 and the number of classes. It never sees real images: no score of quality by itself.

    Salimans, Goodfellow, Zaremba, Cheung, Radford, Chen: Improved techniques for training GANs,
    NeurIPS 2016, sec. 4. https://arxiv.org/abs/1606.03498

    seed: of the shuffling; images are shuffled as torch-fidelity does for the same seed.
    """
    logits = as_features(logits, "fake")
    n = len(logits)
    if not 1 <= splits <= n:
        raise DataError(f"{splits} splits of {n} images; 1 to {n} are possible")
    order = torch.from_numpy(np.random.RandomState(seed).permutation(n)).to(logits.device)
    scores = []
    for i in range(splits):
        log_p = logits[order[i * n // splits : (i + 1) * n // splits]].log_softmax(dim=1)
        p = log_p.exp()
        marginal = p.mean(dim=0)
        # Mean of KL(p ‖ marginal) = entropy of the marginal − mean entropy of p.
        divergence = torch.dot(p.flatten(), log_p.flatten()) / len(p)
        divergence -= torch.special.xlogy(marginal, marginal).sum()
        scores.append(float(divergence.exp()))
    return {
        "inception_score": float(np.mean(scores)),
        "inception_score_std": float(np.std(scores)),
    }
