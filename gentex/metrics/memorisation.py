"""Memorisation: are generated images closer to the training images than new real ones are?"""

from __future__ import annotations

import torch
from torch import Tensor

from gentex.metrics.checks import as_features, same_width
from gentex.metrics.neighbours import nearest_distances


def memorisation(train: Tensor, test: Tensor, fake: Tensor) -> dict[str, float]:
    """How much nearer fakes (M, d) lie to the training features (N, d) than test ones (K, d) do.

    d(·) is the distance to the nearest training image. Copies of training images that are not among
    the N given go unseen, so compare only at equal N.

    - copying: P(d(fake) < d(test)) + ½ P(d(fake) = d(test)), the Mann-Whitney statistic of the
      data-copying test as a probability, which does not grow with the number of samples as its
      z-score does. ½: fakes are as far from the training images as new real images are. Towards 1
      they copy, or lie in the middle of the data, as the average of all images does; towards 0 they
      miss the data.
    - near_copies: share of the fakes that lie nearer to a training image than all but 1 % of the
      test images do; 0.01 where nothing is copied. It sees a few copies among many other samples.

    Meehan, Chaudhuri, Dasgupta: A non-parametric test to detect data-copying in generative models,
    AISTATS 2020, sec. 3 (the global test, without the cells). https://arxiv.org/abs/2004.05675
    """
    train = as_features(train, "training", at_least=1)
    test = as_features(test, "test", at_least=2)
    fake = as_features(fake, "fake", at_least=1)
    same_width(train.shape[1], test.shape[1])
    same_width(train.shape[1], fake.shape[1])
    of_test = nearest_distances(test, train).sort().values
    of_fake = nearest_distances(fake, train)
    # How many test images lie nearer to the training ones than each fake; and as near, or nearer.
    nearer = torch.searchsorted(of_test, of_fake, side="left")
    as_near = torch.searchsorted(of_test, of_fake, side="right")
    beaten = 1 - (nearer + as_near).double() / (2 * len(of_test))
    limit = torch.quantile(of_test, 0.01)
    return {
        "copying": float(beaten.mean()),
        "near_copies": float((of_fake <= limit).double().mean()),
    }
