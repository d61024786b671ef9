"""A third party's package: a Dutch set of sentence pairs, and a set of choices in the manner of BBQ.

It knows nothing of rootfruit-checks but its three decorators. Content: plain words and everyday complaints.
"""

from rootfruit_dutch import choices, pairs

__all__ = ["choices", "pairs"]
