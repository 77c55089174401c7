"""The one way in which a chapter ends badly, to be caught without what runs chapters."""


class ChapterFailed(RuntimeError):
    """A cell of a chapter raised; the message says which, and where the notebook lies."""
