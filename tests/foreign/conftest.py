"""Makes `npm_packages`, `broken_servers` and `typescript_sdk` importable: foreign servers come from npm, as the conformance suite does."""

import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path += [str(TESTS / "conformance"), str(TESTS / "testbench"), str(TESTS / "foreign")]
