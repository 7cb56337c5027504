"""The rules that manifests are held against: what goes wrong, and what to write instead.

Each is about one mistake that a schema cannot find, because the file is valid. `error` is for what loses calls, data or
secrets; `warning` for what makes an outage worse when it comes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from labkit.errors import LabError

Severity = Literal["error", "warning"]


class DeployError(LabError):
    """A manifest that cannot be read, or a setting of an entry point that is none."""


@dataclass(frozen=True)
class Rule:
    """One mistake. `goes_wrong` says what comes of it, `instead` what to write."""

    id: str
    severity: Severity
    goes_wrong: str
    instead: str


@dataclass(frozen=True)
class Finding:
    """A rule that is broken: `where` is the object and the field, `message` what stands there."""

    rule: Rule
    file: str
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}: {self.where}: {self.message}. {self.rule.goes_wrong} {self.rule.instead} [{self.rule.id}]"


def _rule(id: str, severity: Severity, goes_wrong: str, instead: str) -> Rule:
    return Rule(id, severity, goes_wrong, instead)


_ALL = [
    # images, wherever they are named
    _rule(
        "image-tag",
        "error",
        "Two pulls of one manifest can be two programs, and a rollback brings back nothing.",
        "Name a version: python:3.12.11-slim.",
    ),
    _rule(
        "runs-as-root",
        "error",
        "Whoever breaks out of the server is root of the container, and nearer to the host.",
        "USER 10001 in the image; runAsNonRoot: true and allowPrivilegeEscalation: false in Kubernetes.",
    ),
    _rule(
        "secret-literal",
        "error",
        "Everybody who may read the manifest, the image or its history has the secret.",
        "Refer to it: secretKeyRef in Kubernetes, secrets: and NAME_FILE in Compose, LoadCredential= in systemd.",
    ),
    _rule(
        "shell-command",
        "error",
        "A shell is process 1 and passes no SIGTERM on: every stop is a kill after the grace time.",
        'Write a list: CMD ["python", "-m", "labkit.deploy.run", ...].',
    ),
    _rule(
        "health-needs-tool",
        "error",
        "A slim image has no curl and no wget: the check fails for ever, of a server that is well.",
        'Ask with what the image has: ["python", "-c", "import urllib.request ..."].',
    ),
    _rule(
        "no-memory-limit",
        "error",
        "One server that leaks takes the memory of all others on its machine.",
        "Set resources.limits.memory, and requests for the scheduler (Compose: mem_limit, systemd: MemoryMax=).",
    ),
    _rule(
        "writable-root",
        "warning",
        "Whoever can write into the image can change the program.",
        "readOnlyRootFilesystem: true (Compose: read_only: true), and an emptyDir or tmpfs for /tmp.",
    ),
    # probes
    _rule(
        "no-readiness",
        "error",
        "Calls are sent to a server that has not started, or has lost its database.",
        "readinessProbe on /ready.",
    ),
    _rule(
        "no-liveness",
        "warning",
        "A server whose loop hangs stays where it is until somebody looks.",
        "livenessProbe on /health.",
    ),
    _rule(
        "liveness-asks-others",
        "error",
        "A database that is away for a minute restarts every server, and none of them mends it.",
        "Liveness asks for /health, which asks nobody else; what a server needs is a matter of readiness.",
    ),
    _rule(
        "liveness-before-start",
        "error",
        "A start on a busy machine is killed before it ends, and the next one as well.",
        "A startupProbe that allows a minute (failureThreshold x periodSeconds); liveness begins after it.",
    ),
    _rule(
        "unknown-port",
        "error",
        "The port is nobody's: probes fail, or calls are refused.",
        "Name a port of the container (ports: name, containerPort) and use the name.",
    ),
    _rule(
        "short-grace",
        "error",
        "It is killed while it still answers: calls that a drain would have let end are lost.",
        "terminationGracePeriodSeconds, or TimeoutStopSec=, above DRAIN_SECONDS + GRACE_SECONDS (5 + 20 if not set).",
    ),
    # several replicas
    _rule(
        "sticky-missing",
        "error",
        "A session of the handshake era lives in one replica; the others answer 404, Session not found.",
        'Set MCP_STATELESS: "1", or sessionAffinity: ClientIP on the Service.',
    ),
    _rule(
        "affinity-one-replica",
        "error",
        "The clients that made the load are tied to the one replica: those that the autoscaler adds get none of them.",
        "minReplicas: 2 or more, or no sessions (MCP_STATELESS) and no affinity.",
    ),
    _rule(
        "hpa-without-request",
        "error",
        "Utilization is a share of the request; without one the autoscaler does nothing.",
        "Set resources.requests.cpu.",
    ),
    _rule(
        "replicas-beside-hpa",
        "warning",
        "Each kubectl apply sets the number back, under full load.",
        "Leave spec.replicas out where a HorizontalPodAutoscaler decides.",
    ),
    _rule(
        "pdb-blocks-drain",
        "error",
        "No replica may ever leave: draining a node for an update waits for ever.",
        "maxUnavailable: 1, and two replicas or more.",
    ),
    _rule(
        "selector-matches-nothing",
        "error",
        "The Service, policy or budget is valid and about nobody.",
        "Use labels that the pod template has.",
    ),
    _rule(
        "no-network-policy",
        "warning",
        "Every pod of the cluster reaches the server, past the gateway and its identities.",
        "A NetworkPolicy that selects its pods and names who may come in.",
    ),
    # Compose and nginx
    _rule(
        "port-for-all",
        "error",
        "Published without an address, a port is open to the network, past the host's firewall.",
        'Write the address: "127.0.0.1:8080:8080".',
    ),
    _rule(
        "proxy-buffering",
        "error",
        "A stream waits in nginx's buffer, unless the server says X-Accel-Buffering: no; not every one does.",
        "proxy_buffering off where MCP passes.",
    ),
    _rule(
        "proxy-host",
        "error",
        "The server is asked under the upstream's name: 421 Invalid Host header, or a check of nothing.",
        "proxy_set_header Host $http_host.",
    ),
    _rule(
        "proxy-retries-calls",
        "error",
        "A call that may have been done is sent to the next server: done twice.",
        "Leave non_idempotent out of proxy_next_upstream.",
    ),
    _rule(
        "proxy-read-timeout",
        "warning",
        "A stream on which nothing is said for 60 s, a slow tool's, is cut.",
        "proxy_read_timeout above the longest call, such as 3600s.",
    ),
    # systemd
    _rule(
        "unit-as-root",
        "error",
        "Whoever takes over the server has the whole machine.",
        "DynamicUser=yes, or a User= of its own that owns nothing but its data.",
    ),
    _rule(
        "unit-open",
        "warning",
        "Whoever takes over the server sees the files and devices of everybody else on the machine.",
        "ProtectSystem=strict, CapabilityBoundingSet= and the others; `systemd-analyze security` grades what is left.",
    ),
    _rule(
        "unit-no-restart",
        "error",
        "A crash at night is an outage until somebody looks.",
        "Restart=on-failure, with RestartSec=.",
    ),
]
RULES: dict[str, Rule] = {rule.id: rule for rule in _ALL}
"""All rules by their id."""
