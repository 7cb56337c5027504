"""Services that the example servers talk to over real HTTP, so that the lab works without a network."""
