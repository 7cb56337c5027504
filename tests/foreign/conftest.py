"""Makes `npm_packages` and `broken_servers` importable: foreign servers come from npm, as the conformance suite does."""

import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path += [str(TESTS / "conformance"), str(TESTS / "testbench")]
