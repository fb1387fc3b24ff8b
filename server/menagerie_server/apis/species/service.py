"""menagerie.species.v1: which animal a photograph shows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from menagerie.species.v1 import species_pb2 as pb
from menagerie.species.v1 import species_pb2_grpc
from menagerie_inference.concurrency import map_unordered
from menagerie_inference.errors import ImageError, InferenceError
from menagerie_inference.overload import retry_overloaded
from menagerie_server.apis.species.converters import gemini_response, place_of, species_prediction
from menagerie_server.apis.species.errors import ERRORS
from menagerie_server.apis.species.photographs import Photograph
from menagerie_server.errors import (
    GeminiKeyMissing,
    InferenceFailed,
    InvalidRequest,
    MissingField,
    RequestTooLarge,
    wire_error,
)
from menagerie_server.interceptors.calls import DEADLINE
from menagerie_server.uploads import Form, read_form, temp_dir_ready

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from menagerie_inference.domains.species import Place, SpeciesIdentifier, SpeciesResult
    from menagerie_server.apis.species.gemini.analyzer import GeminiAnalyzer
    from menagerie_server.interceptors import Context
    from menagerie_server.readiness import Loading

SERVICE = "Atlas Backend"
API_VERSION = "1.0.0"
DOCS = "/docs"
MODEL_VERSION_HEADER = "x-model-version"
MAX_IN_FLIGHT = 16
"""The most photographs of one stream that are decoded, queued or identified."""

INFERENCE_FAILED = "SpeciesNet inference failed. Check server logs for details."


class SpeciesService(species_pb2_grpc.SpeciesServiceServicer):
    """The documented operations of the species API."""

    def __init__(
        self, identifier: Loading[SpeciesIdentifier], gemini: GeminiAnalyzer | None, *, docs_served: bool
    ) -> None:
        self._identifier = identifier
        self._gemini = gemini
        self._docs = DOCS if docs_served else None

    async def GetInfo(self, request: pb.GetInfoRequest, context: Context) -> pb.GetInfoResponse:
        """Return the service's name and version."""
        return pb.GetInfoResponse(service=SERVICE, version=API_VERSION, healthz="/healthz", docs=self._docs)

    async def GetReadiness(
        self, request: pb.GetReadinessRequest, context: Context
    ) -> pb.GetReadinessResponse:
        """Return what is configured."""
        configured, ready = self._gemini is not None, temp_dir_ready()
        return pb.GetReadinessResponse(
            status="ok" if configured and ready else "degraded",
            gemini_api_configured=configured,
            temp_dir_ready=ready,
        )

    async def UploadFile(self, request: pb.UploadFileRequest, context: Context) -> pb.UploadFileResponse:
        """Identify the species in one photograph."""
        photograph, _ = _read(request)
        prediction = await self._answer(photograph, context)
        return pb.UploadFileResponse(
            filename=photograph.filename,
            content_size=len(photograph.content),
            speciesnet=prediction,
        )

    async def Analyze(self, request: pb.AnalyzeRequest, context: Context) -> pb.AnalyzeResponse:
        """Identify the species in one photograph, and return the prompt with it."""
        photograph, form = _read(request)
        prompt = form.text("prompt") if form else request.prompt
        prediction = await self._answer(photograph, context)
        return pb.AnalyzeResponse(
            filename=photograph.filename,
            content_size=len(photograph.content),
            prompt=prompt,
            speciesnet=prediction,
        )

    async def GeminiAnalyze(
        self, request: AsyncIterator[pb.GeminiAnalyzeRequest], context: Context
    ) -> pb.GeminiAnalyzeResponse:
        """Ask Gemini about each of several images; without a key, refuse before reading them."""
        if self._gemini is None:
            raise GeminiKeyMissing
        analysis = await self._gemini.analyze(request)
        await context.send_initial_metadata(((MODEL_VERSION_HEADER, analysis.model_version),))
        return await asyncio.to_thread(gemini_response, analysis)

    async def PredictStream(
        self, request: AsyncIterator[pb.PredictStreamRequest], context: Context
    ) -> AsyncIterator[pb.PredictStreamResponse]:
        """Identify the species in each photograph of a stream, and answer each as it is ready."""
        async for response in map_unordered(request, self._predict, limit=MAX_IN_FLIGHT):
            yield response

    async def _predict(self, request: pb.PredictStreamRequest) -> pb.PredictStreamResponse:
        """Answer about one photograph of a stream; an error concerns that photograph alone."""
        row = pb.PredictStreamResponse(id=request.id, filename=request.image.filename)
        try:
            photograph, place = Photograph.from_message(request.image), place_of(request)
            row.speciesnet.CopyFrom(species_prediction(await self._identify_in_turn(photograph, place)))
        except (InvalidRequest, RequestTooLarge, ImageError, InferenceFailed) as error:
            row.error = wire_error(error, ERRORS).text or str(error)
        return row

    @retry_overloaded
    async def _identify_in_turn(self, photograph: Photograph, place: Place | None) -> SpeciesResult:
        """Identify a photograph, waiting where others' photographs fill the queue: a stream can wait."""
        return await self._identify(photograph, place)

    async def _identify(self, photograph: Photograph, place: Place | None = None) -> SpeciesResult:
        identifier, content = self._identifier.get(), photograph.content
        try:
            return await identifier.identify(content, place=place, deadline=DEADLINE.get())
        except InferenceError:
            raise
        except Exception as error:
            raise InferenceFailed(INFERENCE_FAILED) from error

    async def _answer(self, photograph: Photograph, context: Context) -> pb.SpeciesPrediction:
        result = await self._identify(photograph)
        await context.send_initial_metadata(((MODEL_VERSION_HEADER, result.model_version),))
        return species_prediction(result)


def _read(request: pb.UploadFileRequest | pb.AnalyzeRequest) -> tuple[Photograph, Form | None]:
    """Return the photograph of either arm, and the form where it is one."""
    match request.WhichOneof("input"):
        case "upload":
            form = read_form(request.upload.content_type, request.upload.data)
            return Photograph.from_form(form.file("file")), form
        case "image":
            return Photograph.from_message(request.image), None
        case _:
            raise MissingField("image")
