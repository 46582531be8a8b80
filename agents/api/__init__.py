"""The REST API of this app: who calls, campaigns, agents."""
