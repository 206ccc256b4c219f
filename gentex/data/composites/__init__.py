"""Composites: images made of a known structure and a known texture.

`fingerprint` needs no torch; everything else is imported where it is used.
"""
