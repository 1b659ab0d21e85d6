"""The speed figures, as ratios within one run: `make bench`, or `python -m benchmarks`. Never a timed test."""
