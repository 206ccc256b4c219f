"""Classic separators: no parameters, no training, one method a file."""
