"""Tests of the reference client against a complete fake gateway."""
