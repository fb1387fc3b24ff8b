"""menagerie.coral.v1: bleached coral in photographs of reefs, as background jobs."""
