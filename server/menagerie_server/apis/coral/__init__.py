"""menagerie.coral.v1: bleached coral on photographs of reefs, judged by jobs."""
