"""The one exception that stands for a user's mistake."""


class UserError(Exception):
    """Something the user can put right; the message is one line: what is wrong, where, and what would be right."""
