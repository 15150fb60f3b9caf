"""Numbers in sentences."""


def num(number: int, noun: str, plural: str | None = None) -> str:
    """Say a number of things: ``1 photo``, ``1,200 photos``; ``plural`` where it does not just end in s."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
