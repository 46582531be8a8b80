"""A whole campaign as one file: written the same for the same content, read back into another lab; docs/export.md."""
