"""What the API of this app takes and answers."""
