"""Errors that the user can correct.

Every mistake a person can make ends in one of these, with a message of one line: what was received, what the rule is,
what to do. The command line prints that line and exits with code 2; nothing else of framecast's own is ever raised for
bad input. A violated internal invariant is an ``AssertionError``.
"""


class FramecastError(ValueError):
    """An input or request is invalid: what was received, what the rule is, what to do."""


class FramecastWarning(UserWarning):
    """A warning for the user, which does not stop the work; the command line prints it on one line."""


class ConfigError(FramecastError):
    """A configuration or an option is misspelt, out of range, or impossible together with another.

    Args:
        findings: each thing that is wrong; the message is all of them in one line.
    """

    def __init__(self, *findings: str) -> None:
        super().__init__("; ".join(findings))
        self.findings = findings


class DataError(FramecastError):
    """The content of a file or an array is not as documented."""
