"""What the dynamic loader will do with an image's programs and libraries, told without running them."""
