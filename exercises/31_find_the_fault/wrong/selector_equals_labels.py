"""fails: nothing, ports, sticky, budgets, selectors, liveness
why: A selector is compared as a whole with the labels: pods may have more of them.
"""


def faults(objects):
    """What is wrong between these Kubernetes objects: a sorted list of ["Kind/name", fault]."""
    found = set()
    deployments = [each for each in objects if each["kind"] == "Deployment"]
    services = [each for each in objects if each["kind"] == "Service"]
    budgets = [each for each in objects if each["kind"] == "PodDisruptionBudget"]
    scalers = [each for each in objects if each["kind"] == "HorizontalPodAutoscaler"]
    for deployment in deployments:
        for fault in of_deployment(deployment, services, scalers):
            found.add((place(deployment), fault))
    for service in services:
        selected = [each for each in deployments if selects(service["spec"].get("selector"), each)]
        if not selected:
            found.add((place(service), "selects-nothing"))
        for each in selected:
            known = {port for container in containers(each) for port in ports(container)}
            for port in service["spec"].get("ports", []):
                if port.get("targetPort", port["port"]) not in known:
                    found.add((place(service), "unknown-port"))
    for budget in budgets:
        spec = budget["spec"]
        selected = [each for each in deployments if selects(spec["selector"].get("matchLabels"), each)]
        if not selected:
            found.add((place(budget), "selects-nothing"))
        least = spec.get("minAvailable")
        stuck = isinstance(least, int) and any(replicas(each, scalers)[0] <= least for each in selected)
        if stuck or spec.get("maxUnavailable") == 0:
            found.add((place(budget), "pdb-blocks-drain"))
    return sorted([where, fault] for where, fault in found)


def of_deployment(deployment, services, scalers):
    stateless = False
    for container in containers(deployment):
        known = ports(container)
        asked = {
            kind: container.get(f"{kind}Probe", {}).get("httpGet", {}) for kind in ("liveness", "readiness", "startup")
        }
        if asked["liveness"] and asked["liveness"].get("path") == asked["readiness"].get("path"):
            yield "liveness-asks-others"
        if any(get["port"] not in known for get in asked.values() if get):
            yield "unknown-port"
        stateless = stateless or {"name": "MCP_STATELESS", "value": "1"} in container.get("env", [])
    tied = [
        each["spec"].get("sessionAffinity") == "ClientIP"
        for each in services
        if selects(each["spec"].get("selector"), deployment)
    ]
    if replicas(deployment, scalers)[1] > 1 and not stateless and not all(tied):
        yield "sticky-missing"


def place(each):
    return f"{each['kind']}/{each['metadata']['name']}"


def containers(deployment):
    return deployment["spec"]["template"]["spec"]["containers"]


def ports(container):
    return {port[key] for port in container.get("ports", []) for key in ("containerPort", "name") if key in port}


def selects(selector, deployment):
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    return bool(selector) and selector == labels


def replicas(deployment, scalers):
    """The fewest and the most that there may be."""
    for scaler in scalers:
        target = scaler["spec"]["scaleTargetRef"]
        if (target["kind"], target["name"]) == (deployment["kind"], deployment["metadata"]["name"]):
            return scaler["spec"].get("minReplicas", 1), scaler["spec"]["maxReplicas"]
    fixed = deployment["spec"].get("replicas", 1)
    return fixed, fixed
