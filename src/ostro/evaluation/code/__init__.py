"""Programs that a model writes, run in a sandbox against the tests of their problems."""
