"""The one exception that a user can mend.

Everything that is wrong with what a user gave (a file, an option, a message, too little memory)
is raised as an :class:`OstroError`. Its text is one line that says what is wrong and what to do;
the command line prints it and exits with 2. Any other exception is a bug in ostro.
"""


class OstroError(ValueError):
    """Bad input, told in one line: what is wrong, where, and what to do about it."""


class CheckpointError(OstroError):
    """A checkpoint that cannot be used: damaged, incomplete, or of an unknown kind."""


class MemoryPlanError(OstroError):
    """A model or a context that does not fit into the memory it was given."""


class NetworkError(OstroError):
    """A download that could not be made: no network, no such model, or no permission."""
