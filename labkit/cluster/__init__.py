"""Many jobs, here or on other machines: one way to hand them out and to take the results as they come.

    with open_pool(None) as pool: ...                      # threads of this process, as many as there are cores
    with open_pool("local:2") as pool: ...                 # two Dask workers on this machine, ended at the end
    with open_pool("tcp://10.0.0.5:8786") as pool: ...     # a Dask scheduler; or tls://

    for done in pool.map(function, {"job id": argument, ...}): done.key, done.value, done.error

`labkit run --cluster` and `labkit grade --cluster` stand on it. What it keeps to:

- Each job id has one result. A job may be begun twice, because its worker was lost; whoever collects (this process,
  and only it, writes files) takes the first result of an id and drops any other.
- A job whose worker dies is done again as often as the scheduler allows (`distributed.scheduler.allowed-failures`, 3
  unless it is configured otherwise; 1 with `local:N`), then once more with no other job beside it, so that the
  neighbours of a job that kills workers are not blamed for it. Then it is reported as failed.
- Ctrl-C takes back what has not begun, and ends the kernels of what has. The answers of learners that are being
  checked end by themselves (in a minute at most).
- Workers have to be like this process, and each is asked before the first job: the same Python (3.11, 3.12, ...),
  labkit, MCP SDK and dask, and the same files below labkit/, servers/, notebooks/ and exercises/. Files of the lab are
  not sent. A learner's answer, and a notebook from outside the lab's folder, travel with their job.

A cluster on other machines needs on each of them, the scheduler's included, a checkout at the same commit, with
`python start.py setup --extras`, and what the notebooks use (Node, Redis, PostgreSQL; `labkit doctor` tells):

    .venv/bin/dask scheduler --host 10.0.0.5
    .venv/bin/dask worker tcp://10.0.0.5:8786 --nworkers auto --nthreads 1

A scheduler runs the code of whoever reaches it. Beyond one machine use `tls://`, for which scheduler, workers and
labkit read the same Dask configuration from a file or the environment:

    DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION=true
    DASK_DISTRIBUTED__COMM__TLS__CA_FILE=ca.pem
    DASK_DISTRIBUTED__COMM__TLS__SCHEDULER__CERT=cert.pem      and ..__SCHEDULER__KEY=key.pem
    DASK_DISTRIBUTED__COMM__TLS__WORKER__CERT, ..__KEY, DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT, ..__KEY

Learners' answers run in the same sandbox as on this machine (labkit/grading/sandbox.py), and no stronger one.
"""

from labkit.cluster.jobs import ClusterError, Done, JobPool, LocalPool, Stop
from labkit.cluster.opening import open_pool

__all__ = ["ClusterError", "Done", "JobPool", "LocalPool", "Stop", "open_pool"]
