"""The one root of the errors that a user can cause and mend; the command line prints them without a traceback."""


class IspError(Exception):
    """Something a user can put right. The message names the file or value at fault and the way out."""


class InterruptedCommandError(Exception):
    """Ctrl+C in a command that knows how it is continued; the text says how."""
