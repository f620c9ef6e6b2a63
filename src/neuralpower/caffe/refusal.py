"""The reason for which Caffe would not build a network or a layer."""

from __future__ import annotations


class Refusal(Exception):  # noqa: N818  (it is Caffe that errs, not we)
    """Caffe dies of this: the strict mode reports it, the lenient mode notes it.

    ``offset`` is the character of the file where the layer is, -1 when it is not known.
    """

    def __init__(self, reason: str, offset: int = -1) -> None:
        self.reason = reason
        self.offset = offset
        super().__init__(reason)
