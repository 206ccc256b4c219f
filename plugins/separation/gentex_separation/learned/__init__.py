"""Separators that learn from composites whose layers are known."""
