"""`python -m gentex` is the `gentex` command."""

from gentex.cli import main

main()
