"""Persistent storage: PostgreSQL for records, an object store for files."""
