"""Connect to anything from a kernel: connections, server processes, and the sync twin."""
