"""What the database itself refuses, whoever asks."""

import pgtrigger


def append_only(name: str) -> pgtrigger.Protect:
    """Rows may be added, never changed or removed, by anyone who comes through this database role."""
    return pgtrigger.Protect(name=name, operation=pgtrigger.Update | pgtrigger.Delete)
