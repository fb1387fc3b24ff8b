"""The served APIs, one package each: gRPC service, converters, errors, settings, and job parts."""
