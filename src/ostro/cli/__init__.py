"""The command line: sub-commands that parse, call one plain function, and print."""
