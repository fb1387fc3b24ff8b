"""Work that outlives a call, and the process that runs it: jobs of any API, kept in PostgreSQL."""
