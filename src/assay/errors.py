"""The one exception class of our own. Imports nothing heavy: preflight must answer before torch is loaded."""


class ConfigError(ValueError):
    """A setting, file or artifact that was refused.

    Its text is one line for the user: what was given, what is possible, which switch to turn.
    The command line prints it on stderr and exits with 2, following ``__cause__`` where Hydra wrapped it.
    """
