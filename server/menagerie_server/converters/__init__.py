"""Between the domains' results and the messages of the protos, one file an API."""
