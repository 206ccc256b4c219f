"""The commands of `gentex` that need torch, imported when they are called."""
