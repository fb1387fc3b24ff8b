"""Makes the embedded networks of the NSFW ensemble, and evaluates them."""
