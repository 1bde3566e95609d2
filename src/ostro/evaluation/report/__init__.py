"""What was found, as something to look at: tables, plots, and the pages that show them."""
