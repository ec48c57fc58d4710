"""Why there is no card, or no baseline of a name on it."""


class NotUnderstood(Exception):
    """The reason in one line; a value of the card, and no error of anybody's."""
