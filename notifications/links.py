"""Where a piece of news leads."""

from django.urls import NoReverseMatch, reverse

_HOME = "/notifications/"


def link_of(subject: str) -> str:
    """The page of "finding:12"; this app's own list for what has none."""
    kind, _, key = subject.partition(":")
    if not kind.isidentifier():
        return _HOME
    for arguments in ([int(key)] if key.isascii() and key.isdecimal() else [key],):
        try:
            return reverse(kind, args=arguments)
        except NoReverseMatch:
            continue
    return _HOME
