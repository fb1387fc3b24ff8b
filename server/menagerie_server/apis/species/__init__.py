"""menagerie.species.v1: which animal a photograph shows, and what Gemini says of it."""
