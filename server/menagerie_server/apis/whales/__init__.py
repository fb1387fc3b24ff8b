"""menagerie.whales.v1: which whale a photograph shows."""
