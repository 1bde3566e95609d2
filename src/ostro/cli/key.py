"""``ostro key``: a key for the server."""

from ostro.cli.output import note, print_json, print_rows
from ostro.server.api_keys import make_key


def run(*, as_json: bool) -> None:
    """Make a key and the line that lets it in."""
    key, line = make_key()
    if as_json:
        print_json({"key": key, "line": line})
        return
    print_rows([("key", key), ("line", line)])
    note("Clients send the key; the line goes into the file of 'ostro serve --api-keys FILE'.")
