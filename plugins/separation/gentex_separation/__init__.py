"""Separators for gentex: images taken apart into structure and texture."""

from __future__ import annotations

import gentex
from gentex_separation.cards import CLASSIC
from gentex_separation.learned_cards import LEARNED


@gentex.hookimpl
def gentex_cards() -> tuple[gentex.Card, ...]:
    """The cards of the separators."""
    return (*CLASSIC, *LEARNED)
