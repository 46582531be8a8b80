"""Calls of the Messages API, whoever makes them: the client, its errors, its streams, their pieces."""
