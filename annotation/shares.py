"""How a share is written, on pages, in charts and in sentences alike."""


def percent(share: float, decimals: int = 0) -> str:
    r"""In percent, with a thin space that does not break, and without decimals that nobody needs.

    >>> percent(0.6789) == "68\N{NARROW NO-BREAK SPACE}%"
    True
    """
    return f"{100 * share:.{decimals}f}\N{NARROW NO-BREAK SPACE}%"
