"""Python in an image: its environments, and what is installed in them."""
