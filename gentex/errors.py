"""The errors a user sees.

Each message says what was wrong, what is allowed, and the closest match. The command line prints
it without a traceback and exits with code 2; Python code can catch `GentexError` for all of them.
"""

from __future__ import annotations

from collections.abc import Iterable


class GentexError(Exception):
    """Base of every error that is the user's to mend."""


class UnknownNameError(GentexError, LookupError):
    """A name that nothing carries: an architecture, a dataset, a metric, a keyword, ..."""


class AmbiguousNameError(GentexError, LookupError):
    """A name that several plugins carry; `plugin:name` says which one is meant."""


class PluginError(GentexError):
    """A plugin, or what a card points to, that cannot be imported or used."""


class HyperparameterError(GentexError, TypeError):
    """A hyperparameter that the architecture does not take, or a value it refuses."""


class DataError(GentexError):
    """Data that is missing, unreadable, or unfit for what was asked of it."""


class NoSplitError(DataError):
    """A split that a dataset does not have."""


class CheckpointError(GentexError):
    """A saved model or checkpoint that cannot be read, or belongs to another run."""


class TrainingError(GentexError):
    """Training that cannot go on: a loss that is NaN or infinite, or an unusable update."""


class SuiteError(GentexError):
    """A suite, or a record of one, that does not say what it must."""


def unknown(kind: str, name: str, allowed: Iterable[str]) -> UnknownNameError:
    """«no architecture 'dcgna'; did you mean 'dcgan'?», with what there is to choose from."""
    return UnknownNameError(f"no {kind} {name!r}{closest(name, allowed)}")


def closest(name: str, allowed: Iterable[str]) -> str:
    """The tail of an error message: the closest of the allowed names, or all of them."""
    import difflib  # only a failing call needs it, and listing should start at once

    names = sorted(set(allowed))
    if not names:
        return "; there is none"
    folded = {candidate.casefold(): candidate for candidate in names}
    matches = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    if matches:
        return f"; did you mean {folded[matches[0]]!r}?"
    return f"; there are: {', '.join(names)}"
