"""menagerie.muzzle.v1: verification, identification and codes of cattle muzzles."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar

from menagerie.muzzle.v1 import muzzle_pb2 as pb
from menagerie.muzzle.v1 import muzzle_pb2_grpc
from menagerie_inference.domains.muzzle import (
    LEAST_SLOTS,
    SLOTS,
    Codes,
    check_domain,
    encode,
    enroll,
    identify,
    verify,
)
from menagerie_inference.domains.muzzle.similarity import template
from menagerie_inference.errors import ImageError
from menagerie_server.apis.muzzle import requests
from menagerie_server.apis.muzzle.catalogue import NOBODY
from menagerie_server.apis.muzzle.converters import (
    animal_message,
    animals_message,
    domain_check_message,
    encoded_message,
    identification_message,
    verification_message,
)
from menagerie_server.errors import InvalidRequest
from menagerie_server.interceptors.calls import DEADLINE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from menagerie_inference.domains.muzzle import MuzzleEmbedders, Thresholds
    from menagerie_inference.pipeline import Pipeline
    from menagerie_server.apis.muzzle.catalogue import Catalogue, Nearest
    from menagerie_server.apis.muzzle.photographs import Photograph
    from menagerie_server.interceptors import Context
    from menagerie_server.readiness import Loading

    Outputs = Mapping[int, NDArray[np.float32]]

T = TypeVar("T")

MODEL_VERSION_HEADER: Final = "x-model-version"
PAGE_SIZE: Final = 50
MAX_PAGE_SIZE: Final = 1000


class MuzzleService(muzzle_pb2_grpc.MuzzleServiceServicer):
    """The muzzle API: its documented operations, and those on enrolled animals.

    Answers are computed and serialised in threads of the models, as the codes of twelve photos are 9,216
    numbers.
    """

    def __init__(
        self,
        embedders: Loading[MuzzleEmbedders],
        pipeline: Pipeline,
        catalogue: Catalogue,
        thresholds: Thresholds,
    ) -> None:
        self._embedders = embedders
        self._pipeline = pipeline
        self._catalogue = catalogue
        self._thresholds = thresholds
        self.models_loaded: Sequence[int] = ()
        """The slots that have loaded, even if they are too few to answer."""

    async def GetHealth(self, request: pb.GetHealthRequest, context: Context) -> pb.GetHealthResponse:
        """Return which models are loaded."""
        status = "ok" if tuple(self.models_loaded) == SLOTS else "degraded"
        return pb.GetHealthResponse(status=status, models_loaded=self.models_loaded)

    async def Predict(  # type: ignore[override]  # a response may be serialised already
        self, request: pb.PredictRequest, context: Context
    ) -> bytes:
        """Verify that a photo shows the animal of three others."""
        return await self._verify(request, context)

    async def PredictFile(  # type: ignore[override]
        self, request: pb.PredictFileRequest, context: Context
    ) -> bytes:
        """Verify files."""
        return await self._verify(request, context)

    async def Encode(  # type: ignore[override]
        self, request: pb.EncodeRequest, context: Context
    ) -> bytes:
        """Return the codes of photos."""
        return await self._encode(request, context, named=False)

    async def EncodeFile(  # type: ignore[override]
        self, request: pb.EncodeFileRequest, context: Context
    ) -> bytes:
        """Return the codes of files."""
        return await self._encode(request, context, named=True)

    async def DomainCheck(  # type: ignore[override]
        self, request: pb.DomainCheckRequest, context: Context
    ) -> bytes:
        """Check whether a photo shows a muzzle."""
        return await self._check_domain(request, context)

    async def DomainCheckFile(  # type: ignore[override]
        self, request: pb.DomainCheckFileRequest, context: Context
    ) -> bytes:
        """Check whether a file shows a muzzle."""
        return await self._check_domain(request, context)

    async def EnrollAnimal(self, request: pb.EnrollAnimalRequest, context: Context) -> pb.Animal:
        """Store the codes of three photos of an animal."""
        embedders = self._embedders.get().require(len(SLOTS))
        name, photographs = await asyncio.to_thread(requests.enrolment, request)
        enrollment = await self._ask(
            photographs, lambda outputs: enroll(outputs, self._thresholds), least=len(SLOTS)
        )
        animal = await self._catalogue.add(name, enrollment, embedders)
        await self._tell_versions(context)
        return animal_message(animal, enrollment.notice)

    async def ListAnimals(  # type: ignore[override]
        self, request: pb.ListAnimalsRequest, context: Context
    ) -> bytes:
        """Return a page of the enrolled animals."""
        if request.page_size < 0:
            raise InvalidRequest("page_size is below 0.")
        size = min(request.page_size or PAGE_SIZE, MAX_PAGE_SIZE)
        animals, token = await self._catalogue.page(request.page_token, size)
        # A thousand animals would block the event loop.
        return await asyncio.to_thread(lambda: animals_message(animals, token).SerializeToString())

    async def GetAnimal(self, request: pb.GetAnimalRequest, context: Context) -> pb.Animal:
        """Return an enrolled animal."""
        return animal_message(await self._catalogue.get(request.animal_id))

    async def DeleteAnimal(
        self, request: pb.DeleteAnimalRequest, context: Context
    ) -> pb.DeleteAnimalResponse:
        """Remove an enrolled animal."""
        await self._catalogue.delete(request.animal_id)
        return pb.DeleteAnimalResponse()

    async def IdentifyAnimal(
        self, request: pb.IdentifyAnimalRequest, context: Context
    ) -> pb.IdentifyAnimalResponse:
        """Find the enrolled animals that a photo may show."""
        embedders = self._embedders.get().require(len(SLOTS))
        probe, most = await asyncio.to_thread(requests.search, request)
        outputs, code = await self._ask([probe], self._code_to_find, least=len(SLOTS))
        found = NOBODY if code is None else await self._catalogue.nearest(code, most, embedders)
        await self._tell_versions(context)
        return await asyncio.to_thread(self._identification, outputs, found, most)

    def _code_to_find(self, outputs: Outputs) -> tuple[Outputs, NDArray[np.float64] | None]:
        """Return the outputs and the ensemble code to search for, or None if the photo shows no muzzle."""
        [check] = check_domain(outputs, self._thresholds)
        return outputs, Codes.of(outputs).ensemble[0] if check.passed else None

    def _identification(self, outputs: Outputs, found: Nearest, most: int) -> pb.IdentifyAnimalResponse:
        identification = identify(outputs, template(found.codes), self._thresholds)
        return identification_message(identification, found.animals, most)

    async def _verify(self, request: pb.PredictRequest | pb.PredictFileRequest, context: Context) -> bytes:
        versions = self._embedders.get().versions

        def answer(outputs: Outputs) -> bytes:
            return verification_message(verify(outputs, self._thresholds), versions).SerializeToString()

        photographs = await asyncio.to_thread(requests.photos_to_verify, request)
        return await self._answer(photographs, answer, context)

    async def _encode(
        self, request: pb.EncodeRequest | pb.EncodeFileRequest, context: Context, *, named: bool
    ) -> bytes:
        def answer(outputs: Outputs) -> bytes:
            return encoded_message(encode(outputs, self._thresholds, names)).SerializeToString()

        self._embedders.get().require(len(SLOTS))
        photographs = await asyncio.to_thread(requests.photos_to_encode, request)
        names = [photograph.filename for photograph in photographs] if named else None
        return await self._answer(photographs, answer, context, least=len(SLOTS))

    async def _check_domain(
        self, request: pb.DomainCheckRequest | pb.DomainCheckFileRequest, context: Context
    ) -> bytes:
        def answer(outputs: Outputs) -> bytes:
            [check] = check_domain(outputs, self._thresholds)
            return domain_check_message(check).SerializeToString()

        self._embedders.get()
        photographs = await asyncio.to_thread(requests.photo_to_check, request)
        return await self._answer(photographs, answer, context)

    async def _answer(
        self,
        photographs: Sequence[Photograph],
        answer: Callable[[Outputs], bytes],
        context: Context,
        *,
        least: int = LEAST_SLOTS,
    ) -> bytes:
        message = await self._ask(photographs, answer, least=least)
        await self._tell_versions(context)
        return message

    async def _ask(
        self, photographs: Sequence[Photograph], answer: Callable[[Outputs], T], *, least: int
    ) -> T:
        """Answer from the codes of photos.

        Raises:
            InvalidPhoto: one cannot be decoded.
            Overloaded, DeadlineExceeded: as `Pipeline.run()`.
        """
        question = self._embedders.get().question(answer, least=least)
        contents = [photograph.content for photograph in photographs]
        try:
            return await self._pipeline.run(question, contents, deadline=DEADLINE.get())
        except ImageError as error:
            raise photographs[error.place].refused(error) from error

    async def _tell_versions(self, context: Context) -> None:
        versions = "+".join(self._embedders.get().versions.values())
        await context.send_initial_metadata(((MODEL_VERSION_HEADER, versions),))
