"""What the router did with texts of different domains: section 5 of the Mixtral paper."""
