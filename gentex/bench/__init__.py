"""The harness: a suite is planned into cells, each cell runs as a process and leaves a record."""
