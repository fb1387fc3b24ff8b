"""menagerie.species.v1: which animal a photograph shows, and Gemini's analysis of images."""
