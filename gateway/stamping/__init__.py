"""Stamping: which actions there are, which are valid when, how they are recorded and what they add up to."""
