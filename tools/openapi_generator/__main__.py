"""Writes the documents: `python -m tools.openapi_generator build/sources.binpb proto`."""

from __future__ import annotations

import argparse
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from tools.openapi_generator.document import documents
from tools.openapi_generator.sources import Sources


def main() -> None:
    """Write one document an annotated service, beside the file that the service is in."""
    parser = argparse.ArgumentParser(prog="openapi_generator", description=main.__doc__)
    parser.add_argument("sources", type=Path, help="a FileDescriptorSet with source info")
    parser.add_argument("folder", type=Path, help="the folder that the files' names start from")
    arguments = parser.parse_args()
    sources = Sources(FileDescriptorSet.FromString(arguments.sources.read_bytes()))
    for name, text in documents(sources):
        path = arguments.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
