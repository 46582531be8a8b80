"""A part of a text, with a word on what is left out."""


def some_lines(text: str, first: int, count: int) -> str:
    """Lines `first` to `first + count - 1`, counted from 1; said at the end where that is not all."""
    lines = text.splitlines(keepends=True)
    part = lines[first - 1 : first - 1 + count]
    if len(part) == len(lines):
        return text or "(the file is empty)"
    end = first + len(part) - 1
    return (
        "".join(part).rstrip("\n") + f"\n[lines {first} to {end} of {len(lines)}]"
        if part
        else (f"[the file has {len(lines)} lines]")
    )
