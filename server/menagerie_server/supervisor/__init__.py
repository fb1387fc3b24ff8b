"""The supervisor: starts PostgreSQL, the workers and Envoy, keeps them running, and stops them in order."""
