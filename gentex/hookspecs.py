"""What a plugin can contribute: cards, and through them everything.

An installed plugin is a distribution with an entry point in the group `gentex` that names a module;
that module imports neither torch nor its own model code:

    import gentex

    @gentex.hookimpl
    def gentex_cards():
        return [gentex.Card("my-gan", "my_package.my_gan:MyGAN", "…", interfaces=("generator",))]

What the targets of the kinds are:

| kind | target |
| --- | --- |
| architecture | a class that implements the interfaces on the card |
| dataset | a function `(*, split, argument, root, size, channels, ...) -> gentex.data.Dataset` |
| features | a function `(image: ImageShape, *, argument, device) -> FeatureSpace` |
| metric | a function of tensors; which ones, its task says |
| task | a function that runs one cell: `gentex.tasks` |
| executor | a function that runs many cells: `gentex.bench.execute` |
"""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from gentex.cards import Card

hookspec = pluggy.HookspecMarker("gentex")
hookimpl = pluggy.HookimplMarker("gentex")


@hookspec
def gentex_cards() -> Iterable[Card]:
    """The cards of everything this plugin contributes."""
    raise NotImplementedError  # a specification; pluggy calls the implementations
