def manifests(name, image, replicas, host, secret):
    """A Deployment, a Service and a PodDisruptionBudget of one MCP server."""
    labels = {"app": name}
    container = {
        "name": "server",
        "image": image.split(":")[0] + ":latest",
        "ports": [{"name": "mcp", "containerPort": 8000}],
        "env": [
            {"name": "MCP_ALLOWED_HOSTS", "value": host},
            {"name": "DATABASE_URL", "value": "postgresql://mcp:hunter2@postgres:5432/company"},
        ],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
        "livenessProbe": {
            "httpGet": {"path": "/ready", "port": "mcp"},
            "periodSeconds": 2,
            "failureThreshold": 3,
        },
    }
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"terminationGracePeriodSeconds": 10, "containers": [container]},
            },
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": labels, "ports": [{"name": "mcp", "port": 8000, "targetPort": 80}]},
    }
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name},
        "spec": {"minAvailable": replicas, "selector": {"matchLabels": labels}},
    }
    return [deployment, service, budget]
