"""Makes an OpenAPI 3.1 document of each annotated service, from its descriptors and their comments."""
