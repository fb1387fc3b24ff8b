"""Menagerie's server: speaks gRPC, and supervises Envoy, PostgreSQL and its workers."""
