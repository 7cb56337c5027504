"""fails: grace
why: The drain is counted, and the calls that are at work after it are not.
"""


def manifests(name, image, replicas, host, secret):
    """A Deployment, a Service and a PodDisruptionBudget of one MCP server."""
    labels = {"app": name}
    container = {
        "name": "server",
        "image": image,
        "ports": [{"name": "mcp", "containerPort": 8000}],
        "env": [
            {"name": "MCP_ALLOWED_HOSTS", "value": host},
            {"name": "MCP_STATELESS", "value": "1"},
            {"name": "DATABASE_URL", "valueFrom": {"secretKeyRef": {"name": secret, "key": "database_url"}}},
        ],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": {"runAsNonRoot": True, "allowPrivilegeEscalation": False},
        "startupProbe": {"httpGet": {"path": "/health", "port": "mcp"}, "periodSeconds": 2, "failureThreshold": 30},
        "livenessProbe": {"httpGet": {"path": "/health", "port": "mcp"}},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "mcp"}},
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
        "spec": {"selector": labels, "ports": [{"name": "mcp", "port": 8000, "targetPort": "mcp"}]},
    }
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": labels}},
    }
    return [deployment, service, budget]
