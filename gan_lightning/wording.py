"""How numbers are said."""


def counted(number: int, noun: str) -> str:
    """`1 job`, `2 jobs`, `4,000 images`, `2 processes`."""
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


def time_left(seconds: float) -> str:
    """About how long something still takes: `40 s left`, `12 min left`, `3.5 h left`."""
    if seconds < 100:
        return f"{seconds:.0f} s left"
    return f"{seconds / 60:.0f} min left" if seconds < 6000 else f"{seconds / 3600:.1f} h left"
