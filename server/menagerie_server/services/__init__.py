"""The gRPC services, one file an API: convert in, ask the domain, convert out."""
