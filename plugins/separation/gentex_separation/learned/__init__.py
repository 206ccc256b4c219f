"""Separators made of networks: most learn from composites whose layers are known."""
