"""Durable background jobs of every API, stored in PostgreSQL, and the worker that runs them."""
