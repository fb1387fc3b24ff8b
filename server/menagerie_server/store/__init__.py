"""What outlives a request: PostgreSQL for records, an object store for files."""
