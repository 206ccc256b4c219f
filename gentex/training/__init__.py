"""The training loop: everything about training that is the same for every architecture."""

from gentex.training.history import History, Progress
from gentex.training.loop import train
from gentex.training.precision import PRECISIONS

__all__ = ["PRECISIONS", "History", "Progress", "train"]
