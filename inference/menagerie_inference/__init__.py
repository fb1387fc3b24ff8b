"""Menagerie's inference: images in, answers out. It never imports grpc or the protos."""
