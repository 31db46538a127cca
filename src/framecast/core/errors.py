"""What the user did or gave that framecast cannot work with.

Every mistake a person can make ends in one of these, with a message of one line that says what came, what the
rule is and what to do. The command line prints that line and exits with code 2; nothing else of framecast's own
is ever raised for bad input. A violated internal invariant is an ``AssertionError``.
"""


class FramecastError(ValueError):
    """Something asked for or given cannot be used: what came, what the rule is, what to do."""


class FramecastWarning(UserWarning):
    """Something that goes on, and that the user should know of; the command line prints it on one line."""


class ConfigError(FramecastError):
    """A configuration or an option is misspelt, out of range, or impossible together with another.

    Args:
        findings: each thing that is wrong; the message is all of them in one line.
    """

    def __init__(self, *findings: str) -> None:
        super().__init__("; ".join(findings))
        self.findings = findings


class DataError(FramecastError):
    """A file or an array holds something other than what is documented."""
