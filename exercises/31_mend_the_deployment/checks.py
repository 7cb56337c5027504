"""Checks of 31_mend_the_deployment: the lab's own rules, and that what was asked for is still there."""

import random
import re
from typing import Any

from labkit.deploy.kubernetes import Object, judge
from labkit.deploy.reading import at, items, rows, table, whole
from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission

KINDS = {"Deployment": "apps/v1", "Service": "v1", "PodDisruptionBudget": "policy/v1"}
PROBE = "httpGet initialDelaySeconds periodSeconds timeoutSeconds failureThreshold successThreshold"
TOP = "apiVersion kind metadata spec"
# The words that Kubernetes knows, where this exercise needs any; below other words everything is left to the author.
WORDS: dict[str, dict[str, str]] = {
    "Deployment": {
        "": TOP,
        "spec": "replicas selector template strategy minReadySeconds revisionHistoryLimit progressDeadlineSeconds",
        "spec.selector": "matchLabels matchExpressions",
        "spec.template": "metadata spec",
        "spec.template.spec": "terminationGracePeriodSeconds containers securityContext volumes serviceAccountName "
        "automountServiceAccountToken topologySpreadConstraints affinity tolerations nodeSelector imagePullSecrets",
    },
    "Service": {"": TOP, "spec": "selector ports sessionAffinity sessionAffinityConfig type clusterIP"},
    "PodDisruptionBudget": {
        "": TOP,
        "spec": "minAvailable maxUnavailable selector unhealthyPodEvictionPolicy",
        "spec.selector": "matchLabels matchExpressions",
    },
}
BOX = "name image ports env envFrom resources securityContext startupProbe livenessProbe readinessProbe lifecycle"
BOX += " volumeMounts imagePullPolicy command args workingDir"
PORT = {"ports": "name containerPort protocol", "spec.ports": "name port targetPort protocol appProtocol"}


class Made:
    """What the answer returns for one server, by kind."""

    def __init__(self, submission: Submission, rng: random.Random, replicas: int = 0) -> None:
        self.name = f"server-{rng.randint(100, 999)}"
        self.image = f"mcp-lab/{self.name}:{rng.randint(1, 9)}.{rng.randint(0, 9)}.{rng.randint(0, 9)}"
        self.replicas = replicas or rng.randint(3, 7)
        self.host, self.secret = f"{self.name}:8000", f"secret-{rng.randint(100, 999)}"
        given = (self.name, self.image, self.replicas, self.host, self.secret)
        self.objects = submission.call("manifests", *given)
        kinds = sorted(str(at(each, "kind")) for each in items(self.objects))
        expect(kinds, sorted(KINDS), "the kinds of the objects")
        self.by = {each["kind"]: each for each in self.objects}
        for each in self.objects:
            expect(at(each, "metadata", "name"), self.name, f"the name of the {each['kind']}")
        self.pod = table(at(self.by["Deployment"], "spec", "template", "spec"))
        boxes = rows(self.pod.get("containers"))
        expect(len(boxes), 1, "the number of containers")
        self.box = boxes[0]
        self.env = {str(each.get("name")): each for each in rows(self.box.get("env"))}

    def no(self, *rules: str) -> None:
        """None of these rules is broken."""
        for finding in judge([Object("manifests", each) for each in self.objects]):
            expect_true(finding.rule.id not in rules, f"{finding.where}: {finding.message}. {finding.rule.goes_wrong}")


@check(
    "the image has its version",
    points=1,
    reason="latest is whatever was pushed last, on each machine another.",
    about="manifests",
)
def test_image(submission: Submission, rng: random.Random) -> None:
    made = Made(submission, rng)
    expect(made.box.get("image"), made.image, "the image")


@check(
    "many replicas, and every client finds its session or needs none",
    points=3,
    reason="A session of the handshake era lives in one replica. All others say: Session not found.",
    about="manifests",
)
def test_sticky(submission: Submission, rng: random.Random) -> None:
    made = Made(submission, rng)
    expect(at(made.by["Deployment"], "spec", "replicas"), made.replicas, "spec.replicas")
    made.no("sticky-missing")
    expect(at(made.env, "MCP_ALLOWED_HOSTS", "value"), made.host, "MCP_ALLOWED_HOSTS")


@check(
    "three probes, three questions",
    points=4,
    reason="Restart what hangs, send no work to what cannot do any, and leave alone what is still starting.",
    about="manifests",
)
def test_probes(submission: Submission, rng: random.Random) -> None:
    made = Made(submission, rng)
    made.no("no-readiness", "no-liveness", "liveness-asks-others", "liveness-before-start", "unknown-port")
    for kind, path in (("startup", "/health"), ("liveness", "/health"), ("readiness", "/ready")):
        probe = at(made.box, f"{kind}Probe")
        expect(at(probe, "httpGet", "path"), path, f"what the {kind}Probe asks for")
        expect_true(at(probe, "httpGet", "port") in ("mcp", 8000), f"the {kind}Probe asks on the container's port")
    startup = table(made.box.get("startupProbe"))
    tries = whole(startup.get("failureThreshold"), 3) * whole(startup.get("periodSeconds"), 10)
    allowed = whole(startup.get("initialDelaySeconds"), 0) + tries
    expect_true(allowed >= 30, f"the startupProbe gives up after {allowed} s; a start may take 30 s")
    expect_true(allowed <= 600, f"the startupProbe waits {allowed} s for a start that will never be")


@check(
    "the secret is referred to",
    points=3,
    reason="Whoever can read the manifest, in the repository or in the cluster, has what is written there.",
    about="manifests",
)
def test_secret(submission: Submission, rng: random.Random) -> None:
    made = Made(submission, rng)
    made.no("secret-literal")
    wanted = {"name": made.secret, "key": "database_url"}
    found = table(at(made.env, "DATABASE_URL", "valueFrom", "secretKeyRef"))
    expect({key: found.get(key) for key in wanted}, wanted, "what DATABASE_URL refers to")
    expect_true("value" not in made.env["DATABASE_URL"], "DATABASE_URL has a value beside the reference")
    expect_true("hunter2" not in str(made.objects), "the password still stands somewhere")


@check(
    "no root, and an end to its memory",
    points=2,
    reason="What is broken into should gain nothing by it.",
    about="manifests",
)
def test_rights(submission: Submission, rng: random.Random) -> None:
    made = Made(submission, rng)
    made.no("runs-as-root", "no-memory-limit")


@check(
    "it gets the time that its end takes",
    points=2,
    reason="It is killed at the end of that time, whatever it is at.",
    about="manifests",
)
def test_grace(submission: Submission, rng: random.Random) -> None:
    made = Made(submission, rng)
    made.no("short-grace")
    expect_true(whole(made.pod.get("terminationGracePeriodSeconds"), 30) <= 300, "more than five minutes is for ever")


@check(
    "the Service leads to the pods, and the budget lets one go",
    points=3,
    reason="An update of the machines empties them one by one, and waits for whoever may not leave.",
    about="manifests",
)
def test_service_and_budget(submission: Submission, rng: random.Random) -> None:
    for replicas in (0, 2, 1):
        made = Made(submission, rng, replicas)
        made.no("unknown-port", "selector-matches-nothing", "pdb-blocks-drain")
        labels = {"app": made.name}
        spec = table(made.by["Service"].get("spec"))
        expect(spec.get("selector"), labels, "what the Service selects")
        expect([port.get("port") for port in rows(spec.get("ports"))], [8000], "the port of the Service")
        expect(at(made.by["PodDisruptionBudget"], "spec", "selector", "matchLabels"), labels, "what the budget selects")
        budget = table(made.by["PodDisruptionBudget"].get("spec"))
        expect_true("minAvailable" in budget or "maxUnavailable" in budget, "the budget says nothing")


def known(value: Any, words: str, where: str) -> None:
    for key in table(value):
        expect_true(key in words.split(), f"Kubernetes knows no {key!r} in {where}")


@check(
    "what was right is still there, in words that Kubernetes knows",
    points=1,
    reason="A word that it does not know is refused, or worse, left out.",
    about="manifests",
)
def test_words(submission: Submission, rng: random.Random) -> None:
    made = Made(submission, rng)
    for kind, version in KINDS.items():
        expect(at(made.by[kind], "apiVersion"), version, f"the apiVersion of the {kind}")
        for path, words in WORDS[kind].items():
            known(at(made.by[kind], *(path.split(".") if path else ())), words, f"{kind} {path}".strip())
    known(made.box, BOX, "the container")
    for kind in ("startup", "liveness", "readiness"):
        known(made.box.get(f"{kind}Probe"), PROBE, f"the {kind}Probe")
    for port in rows(made.box.get("ports")):
        known(port, PORT["ports"], "the container's ports")
    for port in rows(at(made.by["Service"], "spec", "ports")):
        known(port, PORT["spec.ports"], "the Service's ports")
    labels = {"app": made.name}
    expect(at(made.by["Deployment"], "spec", "selector", "matchLabels"), labels, "what the Deployment selects")
    expect(at(made.by["Deployment"], "spec", "template", "metadata", "labels"), labels, "the labels of the pods")
    ports = [(port.get("name"), port.get("containerPort")) for port in rows(made.box.get("ports"))]
    expect(ports, [("mcp", 8000)], "the ports of the container")
    expect([port.get("name") for port in rows(at(made.by["Service"], "spec", "ports"))], ["mcp"], "the Service's port")
    expect(at(made.box, "resources", "requests"), {"cpu": "100m", "memory": "128Mi"}, "what the container requests")
    limit = str(at(made.box, "resources", "limits", "memory"))
    size = re.fullmatch(r"(\d+)(Mi|Gi|M|G)", limit)
    expect_true(
        size is not None and int(size[1]) * (1024 if size[2][0] == "G" else 1) >= 128, f"limits.memory is {limit}"
    )
