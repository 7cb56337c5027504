"""Prove the exercises with many seeds: an answer must be judged alike whatever values a check draws.

    python -m tests.exercises.seeds [--seeds 20] [--first 0] [--jobs 2] [ID ...]

Prints each answer that was judged differently from what it promises, with the seed that shows it (`LAB_SEED=N` repeats
it in the test suite). Exit code 1 when there was one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from labkit.grading.report import PASSED
from labkit.grading.spec import Spec, exercise_ids, load
from labkit.grading.warm import Judges, check_source


def answers(spec: Spec) -> Iterator[tuple[str, str, frozenset[str]]]:
    """Name, source, and the checks that must fail, of the solution and of each wrong answer."""
    yield "solution", spec.solution, frozenset()
    for answer in spec.wrong:
        yield answer.name, answer.path.read_text(encoding="utf-8"), answer.fails


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ids", nargs="*")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--solutions", action="store_true", help="solutions only")
    options = parser.parse_args(arguments)
    pool = Judges()

    def judge(task: tuple[Spec, str, str, frozenset[str], int]) -> str:
        spec, name, source, fails, seed = task
        report = check_source(spec, source, seed=seed, pool=pool)
        failed = {check.name for check in report.checks if check.status != PASSED}
        if failed == fails:
            return ""
        return f"{spec.id} {name} seed {seed}: fails {sorted(failed)}, promised {sorted(fails)}. {report.note}"

    tasks = [
        (spec, name, source, fails, seed)
        for spec in map(load, options.ids or exercise_ids())
        for name, source, fails in answers(spec)
        if not options.solutions or name == "solution"
        for seed in range(options.first, options.first + options.seeds)
    ]
    wrong = 0
    try:
        with ThreadPoolExecutor(options.jobs) as threads:
            for said in threads.map(judge, tasks):
                if said:
                    wrong += 1
                    print(said, flush=True)
    finally:
        pool.close()
    print(f"{len(tasks)} judgements, {wrong} not as promised")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
