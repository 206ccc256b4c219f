"""`python -m gentex.bench` compares architectures."""

from gentex.bench.cli import main

main()
