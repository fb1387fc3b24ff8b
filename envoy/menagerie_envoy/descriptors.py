"""The descriptor set that Envoy transcodes by, assembled from the generated modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.rpc import error_details_pb2, status_pb2

from menagerie.coral.v1 import coral_pb2
from menagerie.muzzle.v1 import muzzle_pb2
from menagerie.nsfw.v1 import nsfw_pb2
from menagerie.species.v1 import species_pb2
from menagerie.system.v1 import system_pb2
from menagerie.whales.v1 import whales_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from google.protobuf.descriptor import FileDescriptor

SERVED = tuple(
    module.DESCRIPTOR for module in (whales_pb2, coral_pb2, species_pb2, nsfw_pb2, muzzle_pb2, system_pb2)
)

ERRORS = (status_pb2.DESCRIPTOR, error_details_pb2.DESCRIPTOR)
"""Without these Envoy cannot print an error's details, and answers with an empty body instead."""


def descriptor_set() -> bytes:
    """Return every served proto file and all that it imports, each once, dependencies first."""
    files = FileDescriptorSet()
    for file in dict.fromkeys(_dependencies_first((*SERVED, *ERRORS))):
        file.CopyToProto(files.file.add())
    return files.SerializeToString(deterministic=True)


def _dependencies_first(files: Iterable[FileDescriptor]) -> Iterator[FileDescriptor]:
    for file in files:
        yield from _dependencies_first(file.dependencies)
        yield file
