"""The text that the demo model is trained on: written anew from data, tables and the parent."""
