"""How the embedded networks of the NSFW ensemble are made, and what they are worth."""
