# The gateway in front of any packaging: docker build -f deploy/images/gateway.Dockerfile -t mcp-lab/gateway:1.0.0 .
# Its configuration is mounted: which servers there are is a matter of the place, not of the program.
FROM python:3.12.11-slim-bookworm AS packages
COPY deploy/images/requirements.lock /build/requirements.lock
RUN pip install --no-cache-dir --require-hashes --only-binary=:all: --target /opt/packages -r /build/requirements.lock

FROM python:3.12.11-slim-bookworm
# HOST: inside a container 127.0.0.1 is the container itself. Names under which it is called: MCP_ALLOWED_HOSTS, at run time.
ENV PYTHONPATH=/app:/opt/packages PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOST=0.0.0.0 PORT=8000
WORKDIR /app
COPY --from=packages /opt/packages /opt/packages
COPY labkit /app/labkit
# Compiled here: at run time the file system is read-only, and a cold start would compile anew each time.
RUN python -m compileall -q /app
# By number: Kubernetes cannot tell whether a name is root.
USER 10001:10001
EXPOSE 8000
# The image has no curl. Nothing restarts a container for this: it is what Compose waits for, so it asks for /ready.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ['PORT']}/ready\", timeout=2)"]
CMD ["python", "-m", "labkit.deploy.run", "gateway", "/etc/mcp/gateway.json"]
