"""Where the program runs: environment, memory, threads, files, progress.

All environment variables are read here, once, in :class:`~ostro.runtime.environment.Environment`.
"""
