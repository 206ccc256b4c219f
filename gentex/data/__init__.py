"""Datasets: where images come from, and the stream of batches that training takes from them."""

from gentex.data.batches import batches, in_order
from gentex.data.dataset import Dataset, FileDataset, MemoryDataset, Skipped

__all__ = ["Dataset", "FileDataset", "MemoryDataset", "Skipped", "batches", "in_order"]
