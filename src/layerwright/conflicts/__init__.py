"""Why things clash: the smallest set that does, and the cheapest repair that was tried on the facts."""
