"""The one exception that stands for a user's mistake, and how an error is told in one line."""


def one_line(error: BaseException) -> str:
    """What an error says, its line breaks and runs of spaces made single spaces."""
    return " ".join(str(error).split())


class UserError(Exception):
    """Something the user can put right; the message is one line: what is wrong, where, and what would be right."""
