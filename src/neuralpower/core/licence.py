"""The licence of what others measured, in words."""

from __future__ import annotations

#: What a recipe says of a source without a licence.
NO_LICENCE = "none stated"


def licence_words(licence: str) -> str:
    """What a source says of its licence.

    >>> licence_words("MIT"), licence_words(NO_LICENCE)
    ('licence stated there: MIT', 'it states no licence')
    """
    return "it states no licence" if licence == NO_LICENCE else f"licence stated there: {licence}"
