"""The descriptor set that Envoy transcodes by, assembled from the generated modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.rpc import error_details_pb2, status_pb2

from menagerie_envoy.apis import APIS, SYSTEM

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from google.protobuf.descriptor import FileDescriptor

ERRORS = (status_pb2.DESCRIPTOR, error_details_pb2.DESCRIPTOR)
"""Without these Envoy cannot print an error's details, and answers with an empty body instead."""


def descriptor_set() -> bytes:
    """Return every served proto file and all that it imports, each once, dependencies first."""
    files = FileDescriptorSet()
    for file in dict.fromkeys(
        _dependencies_first((*(api.descriptor.file for api in (*APIS, SYSTEM)), *ERRORS))
    ):
        file.CopyToProto(files.file.add())
    return files.SerializeToString(deterministic=True)


def _dependencies_first(files: Iterable[FileDescriptor]) -> Iterator[FileDescriptor]:
    for file in files:
        yield from _dependencies_first(file.dependencies)
        yield file
