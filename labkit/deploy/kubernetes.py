"""Rules for Kubernetes: a folder's objects are judged together, because most mistakes are between two of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labkit.deploy.reading import at, found, items, matches, rows, secret_in, table, untagged, whole
from labkit.deploy.rules import Finding

NOT_ITS_OWN = re.compile(r"ready|database|dependenc|deep|\\bdb\\b|pg_isready|psql|redis-cli", re.I)
"""In what a liveness probe asks for, a sign that it asks about others."""
START_SECONDS = 10
"""What a start takes at most on a machine that has time."""


@dataclass(frozen=True)
class Object:
    """One document of a file."""

    file: str
    body: Mapping[str, Any]

    @property
    def kind(self) -> str:
        return str(self.body.get("kind", ""))

    @property
    def name(self) -> str:
        return str(at(self.body, "metadata", "name") or "?")

    @property
    def where(self) -> str:
        return f"{self.kind}/{self.name}"

    @property
    def labels(self) -> dict[str, Any]:
        """Labels of the pods of a workload."""
        return table(at(self.body, "spec", "template", "metadata", "labels"))

    @property
    def pod(self) -> dict[str, Any]:
        return table(at(self.body, "spec", "template", "spec"))

    @property
    def containers(self) -> list[dict[str, Any]]:
        return rows(self.pod.get("containers"))


class Cluster:
    """The objects of a folder, and what they say about each other."""

    def __init__(self, objects: Sequence[Object]) -> None:
        self.objects = objects
        self.workloads = [each for each in objects if each.kind in ("Deployment", "StatefulSet", "DaemonSet")]

    def of(self, kind: str) -> list[Object]:
        """All of one kind."""
        return [each for each in self.objects if each.kind == kind]

    def variables(self, container: Mapping[str, Any]) -> dict[str, Any]:
        """What the environment of a container has by value, from ConfigMaps of the folder as well."""
        said: dict[str, Any] = {}
        for source in rows(container.get("envFrom")):
            wanted = at(source, "configMapRef", "name")
            for each in self.of("ConfigMap"):
                said |= table(each.body.get("data")) if each.name == wanted else {}
        return said | {str(each.get("name")): each.get("value") for each in rows(container.get("env"))}

    def services(self, workload: Object) -> list[Object]:
        """The Services that lead to a workload."""
        return [
            each
            for each in self.of("Service")
            if (selector := table(at(each.body, "spec", "selector"))) and matches(selector, workload.labels)
        ]

    def scaler(self, workload: Object) -> Object | None:
        """The autoscaler of a workload."""
        for each in self.of("HorizontalPodAutoscaler"):
            target = table(at(each.body, "spec", "scaleTargetRef"))
            if (target.get("kind"), target.get("name")) == (workload.kind, workload.name):
                return each
        return None

    def replicas(self, workload: Object) -> tuple[int, int]:
        """The fewest and the most that there are."""
        if scaler := self.scaler(workload):
            spec = table(scaler.body.get("spec"))
            return whole(spec.get("minReplicas"), 1), whole(spec.get("maxReplicas"), 1)
        fixed = whole(at(workload.body, "spec", "replicas"), 1)
        return fixed, fixed


def judge(objects: Sequence[Object]) -> list[Finding]:
    """All that is wrong, in the order of the objects."""
    cluster = Cluster(objects)
    findings: list[Finding] = []
    for each in objects:
        if each in cluster.workloads:
            here = [*_workload(cluster, each)]
        elif each.kind == "Service":
            here = [*_service(cluster, each)]
        elif each.kind == "PodDisruptionBudget":
            here = [*_budget(cluster, each)]
        elif each.kind == "NetworkPolicy":
            here = [*_selected(cluster, each, _labels(at(each.body, "spec", "podSelector")))]
        elif each.kind in ("ConfigMap", "Secret"):
            here = [*_values(each)]
        else:
            here = []
        findings += [Finding(f.rule, each.file, f.where, f.message) for f in here]
    return findings


def _workload(cluster: Cluster, workload: Object) -> Iterator[Finding]:
    for container in workload.containers:
        where = f"{workload.where}, container {container.get('name', '?')}"
        yield from _container(workload, container, where)
        # What has no port, and is found by no Service, is sent no calls: a worker, a load generator.
        alone = len(workload.containers) == 1 and bool(cluster.services(workload))
        yield from _probes(container, where, served=alone or bool(rows(container.get("ports"))))
        yield from _stopping(cluster, workload, container, where)
    yield from _scaling(cluster, workload)
    policies = [_labels(at(each.body, "spec", "podSelector")) for each in cluster.of("NetworkPolicy")]
    if not any(selector is None or matches(selector, workload.labels) for selector in policies):
        yield found("no-network-policy", workload.where, "no NetworkPolicy selects its pods")


def _container(workload: Object, container: dict[str, Any], where: str) -> Iterator[Finding]:
    if why := untagged(str(container.get("image") or "")):
        yield found("image-tag", f"{where}, image", why)
    limits = table(at(container, "resources", "limits"))
    if "memory" not in limits:
        yield found("no-memory-limit", f"{where}, resources", "there is no limits.memory")
    # What a container says about itself counts before what its pod says.
    security = table(workload.pod.get("securityContext")) | table(container.get("securityContext"))
    if security.get("runAsUser") == 0 or security.get("runAsNonRoot") is not True or security.get("privileged"):
        yield found("runs-as-root", f"{where}, securityContext", "nothing keeps it from running as root")
    elif security.get("allowPrivilegeEscalation") is not False:
        yield found("runs-as-root", f"{where}, securityContext", "allowPrivilegeEscalation is not false")
    if security.get("readOnlyRootFilesystem") is not True:
        yield found("writable-root", f"{where}, securityContext", "readOnlyRootFilesystem is not true")
    for variable in rows(container.get("env")):
        if "valueFrom" not in variable and secret_in(str(variable.get("name", "")), variable.get("value")):
            yield found("secret-literal", f"{where}, env {variable.get('name')}", "the value is written out")


def _probes(container: dict[str, Any], where: str, *, served: bool) -> Iterator[Finding]:
    liveness, readiness = table(container.get("livenessProbe")), table(container.get("readinessProbe"))
    startup = table(container.get("startupProbe"))
    if not readiness and served:
        yield found("no-readiness", where, "there is no readinessProbe")
    if not liveness:
        yield found("no-liveness", where, "there is no livenessProbe")
    command = items(at(liveness, "exec", "command"))
    asked = str(at(liveness, "httpGet", "path") or "") or " ".join(map(str, command))
    # A database may ask itself; the name of its image says that it is one.
    itself = re.search(r"postgres|redis", str(container.get("image", "")))
    if NOT_ITS_OWN.search(asked) and not (command and itself):
        yield found("liveness-asks-others", f"{where}, livenessProbe", f"it asks for {asked}")
    if liveness and not startup:
        tries = whole(liveness.get("failureThreshold"), 3) * whole(liveness.get("periodSeconds"), 10)
        seconds = whole(liveness.get("initialDelaySeconds"), 0) + tries
        if seconds <= START_SECONDS:
            yield found("liveness-before-start", f"{where}, livenessProbe", f"it is killed {seconds} s after it began")
    ports = rows(container.get("ports"))
    for name, probe in (("liveness", liveness), ("readiness", readiness), ("startup", startup)):
        port = at(probe, "httpGet", "port") or at(probe, "tcpSocket", "port")
        if port is not None and ports and not _has(ports, port):
            yield found("unknown-port", f"{where}, {name}Probe", f"port {port} is none of the container's")


def _stopping(cluster: Cluster, workload: Object, container: dict[str, Any], where: str) -> Iterator[Finding]:
    said = cluster.variables(container)
    needed = _seconds(said.get("DRAIN_SECONDS"), 5.0) + _seconds(said.get("GRACE_SECONDS"), 20.0)
    given = whole(workload.pod.get("terminationGracePeriodSeconds"), 30)
    if given < needed and _speaks_mcp(workload):
        yield found("short-grace", where, f"it gets {given} s to end and takes up to {needed:g} s")


def _scaling(cluster: Cluster, workload: Object) -> Iterator[Finding]:
    least, most = cluster.replicas(workload)
    scaler = cluster.scaler(workload)
    sticky = [at(each.body, "spec", "sessionAffinity") == "ClientIP" for each in cluster.services(workload)]
    stateless = any(str(cluster.variables(each).get("MCP_STATELESS")) == "1" for each in workload.containers)
    if most > 1 and not stateless and sticky and not any(sticky) and _speaks_mcp(workload):
        yield found("sticky-missing", workload.where, f"up to {most} replicas, with sessions and no affinity")
    if scaler is None:
        return
    if any(sticky) and least == 1:
        yield found("affinity-one-replica", scaler.where, "clients are tied to an address, and minReplicas is 1")
    if at(workload.body, "spec", "replicas") is not None:
        yield found("replicas-beside-hpa", workload.where, "spec.replicas is set, and an autoscaler decides")
    for metric in rows(at(scaler.body, "spec", "metrics")):
        resource = table(metric.get("resource"))
        if at(resource, "target", "type") != "Utilization":
            continue
        name = str(resource.get("name"))
        for container in workload.containers:
            # A limit without a request is the request, too.
            resources = table(container.get("resources"))
            if all(at(resources, kind, name) is None for kind in ("requests", "limits")):
                message = f"container {container.get('name', '?')} requests no {name}"
                yield found("hpa-without-request", scaler.where, message)


def _service(cluster: Cluster, service: Object) -> Iterator[Finding]:
    selector = table(at(service.body, "spec", "selector"))
    yield from _selected(cluster, service, selector)
    for workload in cluster.workloads:
        if not selector or not matches(selector, workload.labels):
            continue
        ports = [port for container in workload.containers for port in rows(container.get("ports"))]
        for port in rows(at(service.body, "spec", "ports")):
            target = port.get("targetPort", port.get("port"))
            if ports and not _has(ports, target):
                yield found("unknown-port", service.where, f"targetPort {target} is none of {workload.where}'s")


def _budget(cluster: Cluster, budget: Object) -> Iterator[Finding]:
    selector = _labels(at(budget.body, "spec", "selector"))
    yield from _selected(cluster, budget, selector)
    least, most = at(budget.body, "spec", "minAvailable"), at(budget.body, "spec", "maxUnavailable")
    if most in (0, "0%"):
        yield found("pdb-blocks-drain", budget.where, "maxUnavailable is 0")
    if least == "100%":
        yield found("pdb-blocks-drain", budget.where, "minAvailable is 100%")
    for workload in cluster.workloads:
        count = cluster.replicas(workload)[0]
        mine = selector is not None and matches(selector, workload.labels)
        if mine and isinstance(least, int) and least >= count:
            message = f"minAvailable is {least}, and {workload.where} may have {count}"
            yield found("pdb-blocks-drain", budget.where, message)


def _values(each: Object) -> Iterator[Finding]:
    for place in ("data", "stringData"):
        for name, value in table(each.body.get(place)).items():
            # What a Secret holds is one, whatever it is called; base64 hides nothing.
            if value and (each.kind == "Secret" or secret_in(name, value)):
                yield found("secret-literal", f"{each.where}, {place}.{name}", "the value is written out")


def _selected(cluster: Cluster, each: Object, wanted: Mapping[str, Any] | None) -> Iterator[Finding]:
    if wanted and cluster.workloads and not any(matches(wanted, w.labels) for w in cluster.workloads):
        yield found("selector-matches-nothing", each.where, f"no workload here has the labels {dict(wanted)}")


def _labels(selector: Any) -> dict[str, Any] | None:
    """The labels of a selector; None when it has expressions, of which nothing is said here."""
    return None if at(selector, "matchExpressions") else table(at(selector, "matchLabels"))


def _has(ports: Sequence[Mapping[str, Any]], wanted: Any) -> bool:
    """Whether a container has a port of that number or name."""
    return any(wanted in (each.get("containerPort"), each.get("name")) for each in ports)


def _speaks_mcp(workload: Object) -> bool:
    """Whether it is a server of this protocol, as far as can be told: by a port, a variable, an image or its name."""
    texts = [workload.name]
    for container in workload.containers:
        texts += [str(each.get("name", "")) for each in [*rows(container.get("ports")), *rows(container.get("env"))]]
        texts.append(str(container.get("image", "")))
    return any("mcp" in text.lower() for text in texts)


def _seconds(value: Any, default: float) -> float:
    try:
        return float(value or default)
    except (TypeError, ValueError):
        return default
