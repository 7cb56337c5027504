"""Speed, measured against the bare SDK: `python -m benchmarks` (or `make bench`).

Each module with a `run(quick: bool) -> list[Row]` is a topic; the runner finds it by itself. A comparison is made
within one run, the two sides taking turns, so that the machine and its other work touch both alike.
"""
