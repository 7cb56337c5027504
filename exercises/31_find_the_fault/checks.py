"""Checks of 31_find_the_fault. Names, ports and numbers come from the seed."""

import copy
import random
from typing import Any

from labkit.grading.checks import check, expect
from labkit.grading.submission import Submission

Object = dict[str, Any]


class Place:
    """A deployment in which nothing is wrong, to be spoiled: a Deployment, its Service, autoscaler and budget."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.name = word(rng)
        self.port = rng.randint(2000, 9000)
        self.labels = {"app": self.name, "tier": word(rng)}
        get = {"port": "mcp"}
        self.box: Object = {
            "name": word(rng),
            "ports": [{"name": "mcp", "containerPort": self.port}],
            "livenessProbe": {"httpGet": {"path": "/health", **get}},
            "readinessProbe": {"httpGet": {"path": "/ready", **get}},
            "startupProbe": {"httpGet": {"path": "/health", **get}},
            "env": [{"name": word(rng).upper(), "value": "1"}],
        }
        self.beside: Object = {"name": word(rng)}
        self.deployment: Object = {
            "kind": "Deployment",
            "metadata": {"name": self.name},
            "spec": {
                "template": {"metadata": {"labels": self.labels}, "spec": {"containers": [self.beside, self.box]}},
            },
        }
        self.fewest = rng.randint(2, 4)
        self.service: Object = {
            "kind": "Service",
            "metadata": {"name": self.name},
            "spec": {
                "selector": {"app": self.name},
                "ports": [{"port": 80, "targetPort": "mcp"}],
                "sessionAffinity": "ClientIP",
            },
        }
        self.scaler: Object = {
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": word(rng)},
            "spec": {
                "scaleTargetRef": {"kind": "Deployment", "name": self.name},
                "minReplicas": self.fewest,
                "maxReplicas": self.fewest + rng.randint(1, 9),
            },
        }
        self.budget: Object = {
            "kind": "PodDisruptionBudget",
            "metadata": {"name": self.name},
            "spec": {"selector": {"matchLabels": {"app": self.name}}, "maxUnavailable": 1},
        }
        self.without: set[str] = set()

    @property
    def objects(self) -> list[Object]:
        found = [self.deployment, self.service, self.scaler, self.budget]
        return copy.deepcopy([each for each in found if each["kind"] not in self.without])

    def fixed(self, count: int | None) -> None:
        """No autoscaler, and so many replicas."""
        self.without.add("HorizontalPodAutoscaler")
        if count is not None:
            self.deployment["spec"]["replicas"] = count


def word(rng: random.Random) -> str:
    return "".join(rng.choices("bdfgklmnprstvw", k=3)) + "".join(rng.choices("aeiou", k=2)) + str(rng.randint(0, 99))


def look(submission: Submission, rng: random.Random, place: Place, *wanted: tuple[str, str], more: Any = ()) -> None:
    objects = [*place.objects, *more]
    rng.shuffle(objects)
    found = sorted([f"{kind}/{place.name}", fault] for kind, fault in wanted)
    expect(submission.call("faults", objects), found, f"faults({objects})")


@check(
    "nothing is found where nothing is wrong",
    points=2,
    reason="A checker that blames what is right is switched off after a day.",
    about="faults",
)
def test_nothing(submission: Submission, rng: random.Random) -> None:
    look(submission, rng, Place(rng))
    bare = Place(rng)
    for key in ("ports", "livenessProbe", "readinessProbe", "startupProbe", "env"):
        del bare.box[key]
    bare.fixed(None)
    bare.without |= {"Service", "PodDisruptionBudget"}
    look(submission, rng, bare)
    command = Place(rng)
    command.box["livenessProbe"] = {"exec": {"command": ["true"]}}
    command.box["readinessProbe"] = {"tcpSocket": {"port": command.port}}
    look(submission, rng, command)


@check(
    "liveness that asks what readiness asks",
    points=2,
    reason="When the database is away, every replica is restarted, and none of that mends it.",
    about="faults",
)
def test_liveness(submission: Submission, rng: random.Random) -> None:
    place = Place(rng)
    path = place.box["livenessProbe"]["httpGet"]["path"] = place.box["readinessProbe"]["httpGet"]["path"] = (
        f"/{word(rng)}"
    )
    look(submission, rng, place, ("Deployment", "liveness-asks-others"))
    other = Place(rng)
    other.beside["readinessProbe"] = {"httpGet": {"path": "/health", "port": 1}}
    other.beside["ports"] = [{"containerPort": 1}]
    other.box["startupProbe"]["httpGet"]["path"] = "/ready"
    look(submission, rng, other)
    del place.box["readinessProbe"]
    place.box["startupProbe"]["httpGet"]["path"] = path
    look(submission, rng, place)


@check(
    "ports that nobody has",
    points=3,
    reason="A probe of such a port fails for ever; a Service that sends calls there has them refused.",
    about="faults",
)
def test_ports(submission: Submission, rng: random.Random) -> None:
    for kind in ("liveness", "readiness", "startup"):
        place = Place(rng)
        place.box[f"{kind}Probe"]["httpGet"]["port"] = rng.choice([place.port + 1, word(rng)])
        look(submission, rng, place, ("Deployment", "unknown-port"))
        place = Place(rng)
        place.box[f"{kind}Probe"]["httpGet"]["port"] = place.port
        look(submission, rng, place)
    place = Place(rng)
    place.service["spec"]["ports"] = [{"port": 80, "targetPort": place.port}, {"port": place.port}]
    look(submission, rng, place)
    place.service["spec"]["ports"].append({"port": place.port + 1})
    look(submission, rng, place, ("Service", "unknown-port"))
    place.service["spec"]["ports"] = [{"port": place.port, "targetPort": word(rng)}]
    look(submission, rng, place, ("Service", "unknown-port"))
    beside = Place(rng)
    beside.beside["ports"] = [{"containerPort": 9100}]
    beside.service["spec"]["ports"].append({"port": 9100})
    look(submission, rng, beside)
    beside.box["livenessProbe"]["httpGet"]["port"] = 9100
    look(submission, rng, beside, ("Deployment", "unknown-port"))


@check(
    "sessions without a way back",
    points=4,
    reason="A client of the handshake era whose second call comes to another replica is told: Session not found.",
    about="faults",
)
def test_sticky(submission: Submission, rng: random.Random) -> None:
    place = Place(rng)
    place.service["spec"]["sessionAffinity"] = "None"
    place.scaler["spec"]["minReplicas"] = 1
    look(submission, rng, place, ("Deployment", "sticky-missing"))
    place.deployment["spec"]["replicas"] = 1
    look(submission, rng, place, ("Deployment", "sticky-missing"))
    place.box["env"].append({"name": "MCP_STATELESS", "value": "0"})
    look(submission, rng, place, ("Deployment", "sticky-missing"))
    place.box["env"][-1]["value"] = "1"
    look(submission, rng, place)
    for count, wrong in ((1, False), (None, False), (2, True)):
        place = Place(rng)
        del place.service["spec"]["sessionAffinity"]
        place.fixed(count)
        look(submission, rng, place, *([("Deployment", "sticky-missing")] if wrong else []))
    single = Place(rng)
    single.scaler["spec"] |= {"minReplicas": 1, "maxReplicas": 1}
    single.deployment["spec"]["replicas"] = 5
    del single.service["spec"]["sessionAffinity"]
    look(submission, rng, single)
    second = Place(rng)
    loose = copy.deepcopy(second.service)
    loose["metadata"]["name"], loose["spec"]["sessionAffinity"] = word(rng), "None"
    look(submission, rng, second, ("Deployment", "sticky-missing"), more=[loose])
    neighbour = Place(rng)
    neighbour.box["env"].append({"name": "MCP_STATELESS", "value": "1"})
    del neighbour.service["spec"]["sessionAffinity"]
    look(submission, rng, Place(rng), more=neighbour.objects)
    alone = Place(rng)
    alone.without.add("Service")
    look(submission, rng, alone)


@check(
    "budgets that let nobody go",
    points=3,
    reason="Whoever updates the machines waits for ever, and in the end does it by force.",
    about="faults",
)
def test_budgets(submission: Submission, rng: random.Random) -> None:
    def with_budget(place: Place, wrong: bool, **spec: Any) -> None:
        del place.budget["spec"]["maxUnavailable"]
        place.budget["spec"] |= spec
        look(submission, rng, place, *([("PodDisruptionBudget", "pdb-blocks-drain")] if wrong else []))

    with_budget(Place(rng), True, maxUnavailable=0)
    with_budget(Place(rng), False, maxUnavailable="25%")
    with_budget(Place(rng), False, minAvailable="50%")
    for more, wrong in ((-1, False), (0, True), (1, True)):
        place = Place(rng)
        with_budget(place, wrong, minAvailable=place.fewest + more)
        place = Place(rng)
        place.fixed(place.fewest)
        with_budget(place, wrong, minAvailable=place.fewest + more)
    place = Place(rng)
    del place.scaler["spec"]["minReplicas"]
    place.deployment["spec"]["replicas"] = 9
    with_budget(place, True, minAvailable=1)
    place = Place(rng)
    place.fixed(None)
    with_budget(place, True, minAvailable=1)
    place = Place(rng)
    place.scaler["spec"]["scaleTargetRef"] = {"kind": "StatefulSet", "name": place.name}
    place.deployment["spec"]["replicas"] = 9
    with_budget(place, False, minAvailable=8)


@check(
    "selectors that select nothing",
    points=2,
    reason="The object is there, kubectl shows it, and it is about nobody.",
    about="faults",
)
def test_selectors(submission: Submission, rng: random.Random) -> None:
    place = Place(rng)
    place.service["spec"]["selector"] = dict(place.labels)
    place.budget["spec"]["selector"]["matchLabels"] = {"tier": place.labels["tier"]}
    look(submission, rng, place)
    place.service["spec"]["selector"]["tier"] = word(rng)
    look(submission, rng, place, ("Service", "selects-nothing"))
    place.budget["spec"]["selector"]["matchLabels"] = {**place.labels, word(rng): "x"}
    look(submission, rng, place, ("Service", "selects-nothing"), ("PodDisruptionBudget", "selects-nothing"))
    other = Place(rng)
    other.deployment["spec"]["template"]["metadata"]["labels"] = {"app": word(rng)}
    other.deployment["metadata"]["labels"] = {"app": other.name}
    look(submission, rng, other, ("Service", "selects-nothing"), ("PodDisruptionBudget", "selects-nothing"))
    both = Place(rng)
    twin = Place(rng)
    twin.deployment["spec"]["template"]["metadata"]["labels"] |= {"app": both.name}
    twin.box["ports"][0]["name"] = "http"
    twin.box["livenessProbe"]["httpGet"]["port"] = twin.box["readinessProbe"]["httpGet"]["port"] = "http"
    twin.box["startupProbe"]["httpGet"]["port"] = "http"
    look(submission, rng, both, ("Service", "unknown-port"), more=[twin.deployment])
