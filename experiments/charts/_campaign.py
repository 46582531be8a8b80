"""A campaign's number in an address."""


def read_campaign(text: str) -> int:
    """0, everybody's, for anything that is no number."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 18 else 0
