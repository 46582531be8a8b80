"""The shapes of the API's inputs and outputs."""
