"""Light English stemming: plurals, and no more than that unless it is asked for.

The names of products live on nouns. An S-stemmer (Harman, 1991: "How effective is suffixing?") joins *laptops* with
*laptop* and never joins words of different meaning, as *printer* and *printing* under a stronger stemmer.
"""

from __future__ import annotations

from functools import lru_cache

SHORTEST = 4  # letters of a word that loses its ending: "gps", "bus" and "aas" stay


@lru_cache(maxsize=200_000)
def singular(word: str) -> str:
    """The word without its English plural ending; words of other scripts and with digits are returned as they are.

    >>> [singular(w) for w in ("batteries", "laptops", "cases", "wireless", "gps", "bus", "手机", "ps4s")]
    ['battery', 'laptop', 'case', 'wireless', 'gps', 'bus', '手机', 'ps4s']
    """
    if len(word) < SHORTEST or not (word.isascii() and word.isalpha()) or not word.endswith("s"):
        return word
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y" if len(word) > SHORTEST else word[:-1]
    if word.endswith(("xes", "ches", "shes", "sses")):
        return word[:-2]
    if word.endswith(("us", "ss", "is")):
        return word
    return word[:-1]
