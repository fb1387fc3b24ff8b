"""The descriptor sets that Envoy transcodes by, assembled from the generated modules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.rpc import error_details_pb2, status_pb2

from menagerie_envoy.apis import APIS, SYSTEM
from menagerie_envoy.rest import uploads

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from google.protobuf.descriptor import FileDescriptor

ERRORS = (status_pb2.DESCRIPTOR, error_details_pb2.DESCRIPTOR)
"""Without these Envoy cannot print an error's details, and answers with an empty body instead."""


@dataclass(frozen=True)
class Descriptors:
    """The files of both descriptor sets."""

    folder: Path

    @property
    def whole(self) -> Path:
        """By this one the transcoder reads a body to its end before it passes it on."""
        return self.folder / "descriptors.binpb"

    @property
    def streamed(self) -> Path:
        """By this one it passes uploads on in pieces, as they arrive, and holds none of them."""
        return self.folder / "streamed-descriptors.binpb"

    def write(self) -> None:
        """Write both."""
        self.whole.write_bytes(descriptor_set())
        self.streamed.write_bytes(streamed_descriptor_set())


def descriptor_set() -> bytes:
    """Return every served proto file and all that it imports, each once, dependencies first."""
    return _files().SerializeToString(deterministic=True)


def streamed_descriptor_set() -> bytes:
    """Return the same, with the request of every method that takes an upload as a stream."""
    files = _files()
    uploading = {(api.service, name) for api in APIS for name in uploads(api.descriptor)}
    for file in files.file:
        for service in file.service:
            for method in service.method:
                method.client_streaming |= (f"{file.package}.{service.name}", method.name) in uploading
    return files.SerializeToString(deterministic=True)


def _files() -> FileDescriptorSet:
    files = FileDescriptorSet()
    for file in dict.fromkeys(
        _dependencies_first((*(api.descriptor.file for api in (*APIS, SYSTEM)), *ERRORS))
    ):
        file.CopyToProto(files.file.add())
    return files


def _dependencies_first(files: Iterable[FileDescriptor]) -> Iterator[FileDescriptor]:
    for file in files:
        yield from _dependencies_first(file.dependencies)
        yield file
