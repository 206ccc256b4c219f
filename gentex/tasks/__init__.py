"""Tasks: protocols, versioned in their names, that say how a cell trains and what it measures.

A task is a function `(work: Work, *, option=default, ...) -> Outcome`; its keyword options are what
a suite may set under `options`. A change that can change a result is a new version: `generation@2`.
"""

from gentex.tasks.work import Outcome, Score, Work

__all__ = ["Outcome", "Score", "Work"]
