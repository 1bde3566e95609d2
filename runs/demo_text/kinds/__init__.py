"""Tasks of the kinds that the Prompt Engineering Guide's page shows, written by program."""
