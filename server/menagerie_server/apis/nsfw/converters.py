"""Converts results of the moderation to messages of menagerie.nsfw.v1."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import NULL_VALUE, ListValue, Value

from menagerie.nsfw.v1 import nsfw_pb2 as pb
from menagerie_inference.domains.nsfw import TRIPLE_ENSEMBLE
from menagerie_inference.domains.nsfw.result import NSFW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.message import Message

    from menagerie_inference.domains.nsfw import CategoryProbabilities, EnsemblePrediction, ModelPrediction
    from menagerie_server.apis.nsfw.hosting import HostedImage
    from menagerie_server.apis.nsfw.moderation import JudgedImage
    from menagerie_server.apis.nsfw.statistics import Totals

MEGABYTE: Final = 1024 * 1024


@dataclass
class Summary:
    """The summary of several images."""

    judged: int = 0
    nsfw: int = 0
    milliseconds: float = 0.0
    errors: list[str] = field(default_factory=list)

    def add(self, judged: JudgedImage) -> None:
        """Count an image."""
        self.judged += 1
        self.nsfw += judged.moderation.final_decision == NSFW
        self.milliseconds += judged.milliseconds

    @property
    def average(self) -> float:
        """The mean processing time of an image in milliseconds; 0 without images."""
        return self.milliseconds / self.judged if self.judged else 0.0

    def batch(self) -> pb.BatchSummary:
        """Return the summary as the last part of a batch."""
        return pb.BatchSummary(
            total_images=self.judged,
            nsfw_images=self.nsfw,
            safe_images=self.judged - self.nsfw,
            total_time_ms=self.milliseconds,
            average_time_per_image_ms=self.average,
            errors=_texts_or_null(self.errors),
        )

    def row(self) -> pb.PredictStreamingResponse:
        """Return the summary as the last row of a stream."""
        return pb.PredictStreamingResponse(
            type="summary",
            total_processed=self.judged,
            nsfw_count=self.nsfw,
            safe_count=self.judged - self.nsfw,
            total_time_ms=self.milliseconds,
            average_time_per_image_ms=self.average,
            errors=_texts_or_null(self.errors),
        )


def single_response(judged: JudgedImage, url: str | None) -> pb.PredictSingleResponse:
    """Return the result for one image; the caller fills in `prediction_file`."""
    moderation = judged.moderation
    response = pb.PredictSingleResponse(
        image=judged.name,
        results=pb.Results(**{moderation.slot: _slot_result(judged)}),
        final_decision=moderation.final_decision,
        confidence=moderation.confidence,
        total_time_ms=judged.milliseconds,
        ensemble_category=moderation.ensemble_category,
        models_used=moderation.models_used,
        image_size_mb=judged.size / MEGABYTE,
        frames_judged=moderation.frames_judged,
    )
    _add_marks(response, judged)
    _add_hosting(response, judged.hosted, url)
    if judged.hosted is not None:
        response.image_expires_hours = judged.hosted.hours
    return response


def prediction(judged: JudgedImage, url: str | None, *, source: str | None = None) -> pb.Prediction:
    """Return the result for one of several images.

    Args:
        url: of the stored image, or None.
        source: the URL from which the image was downloaded, if it was.
    """
    moderation = judged.moderation
    message = pb.Prediction(
        url=source,
        image=judged.name,
        results=_brief_results(judged),
        final_decision=moderation.final_decision,
        confidence=moderation.confidence,
        ensemble_category=moderation.ensemble_category,
        total_time_ms=judged.milliseconds,
        models_used=moderation.models_used,
        frames_judged=moderation.frames_judged,
    )
    _add_marks(message, judged)
    _add_hosting(message, judged.hosted, url)
    return message


def judged_row(judged: JudgedImage, url: str | None, progress: pb.Progress) -> pb.PredictStreamingResponse:
    """Return the row of a classified image in a stream."""
    moderation = judged.moderation
    names = ListValue(values=[Value(string_value=name) for name in moderation.models_used])
    row = pb.PredictStreamingResponse(
        image=judged.name,
        final_decision=moderation.final_decision,
        confidence=moderation.confidence,
        ensemble_category=moderation.ensemble_category,
        total_time_ms=judged.milliseconds,
        models_used=names,
        progress=progress,
        results=_brief_results(judged),
        frames_judged=moderation.frames_judged,
    )
    _add_marks(row, judged)
    _add_hosting(row, judged.hosted, url)
    return row


def error_row(image: str, why: str, progress: pb.Progress) -> pb.PredictStreamingResponse:
    """Return the row of an image in a stream that could not be classified."""
    return pb.PredictStreamingResponse(type="error", image=image, error=why, progress=progress)


def as_json(message: Message) -> dict[str, object]:
    """Return a message as JSON in the format of Envoy: the field names of the proto, and every field."""
    written: dict[str, object] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return written


def stats_response(totals: Totals, p95: float, p99: float) -> pb.GetStatsResponse:
    """Return the statistics of all workers."""
    counts = totals.counts
    images = max(counts.images, 1)
    return pb.GetStatsResponse(
        total_requests=counts.requests,
        total_images_processed=counts.images,
        nsfw_detections=counts.nsfw,
        safe_detections=counts.images - counts.nsfw,
        average_confidence=counts.confidence / images,
        average_processing_time_ms=counts.milliseconds / images,
        models_usage=pb.ModelsUsage(triple_ensemble=counts.ensemble, openclip_fallback=counts.fallback),
        error_rate=counts.failed / max(counts.requests, 1),
        uptime_hours=totals.uptime_seconds / 3600,
        database_stats=pb.DatabaseStats(
            total_predictions_stored=totals.predictions,
            total_images_hosted=totals.images_hosted,
            database_size_mb=totals.database_bytes / MEGABYTE,
        ),
        performance_metrics=pb.PerformanceMetrics(
            p95_processing_time_ms=p95,
            p99_processing_time_ms=p99,
            max_concurrent_requests=totals.max_concurrent,
        ),
    )


def _slot_result(judged: JudgedImage) -> pb.SlotResult:
    moderation = judged.moderation
    rows = moderation.per_model_predictions.items()
    return pb.SlotResult(
        image_name=judged.name,
        final_decision=moderation.final_decision,
        confidence=moderation.confidence,
        processing_time_ms=moderation.processing_time_ms,
        models_used=moderation.models_used,
        per_model_predictions={name: _model_prediction(row) for name, row in rows},
        ensemble_prediction=_ensemble_prediction(moderation.ensemble_prediction),
    )


def _model_prediction(row: ModelPrediction) -> pb.ModelPrediction:
    return pb.ModelPrediction(
        predicted_category=row.predicted_category,
        confidence=row.confidence,
        category_probabilities=_probabilities(row.category_probabilities),
        inference_time_ms=row.inference_time_ms,
        judged=row.judged,
    )


def _ensemble_prediction(found: EnsemblePrediction) -> pb.EnsemblePrediction:
    return pb.EnsemblePrediction(
        predicted_category=found.predicted_category,
        confidence=found.confidence,
        safety_decision=found.safety_decision,
        ensemble_method=found.ensemble_method,
        model_agreement=found.model_agreement,
        category_ensemble_probabilities=_probabilities(found.category_ensemble_probabilities),
    )


def _probabilities(found: CategoryProbabilities) -> pb.CategoryProbabilities:
    return pb.CategoryProbabilities(
        male_only=found.male_only, female_present=found.female_present, adult_object=found.adult_object
    )


def _brief_results(judged: JudgedImage) -> pb.BriefResults:
    moderation = judged.moderation
    found = moderation.ensemble_prediction
    brief = pb.BriefSlotResult(
        final_decision=moderation.final_decision,
        confidence=moderation.confidence,
        ensemble_prediction=pb.BriefEnsemblePrediction(
            predicted_category=found.predicted_category,
            confidence=found.confidence,
            safety_decision=found.safety_decision,
        ),
    )
    if moderation.slot == TRIPLE_ENSEMBLE:
        return pb.BriefResults(triple_ensemble=brief)
    return pb.BriefResults(openclip_fallback=brief)


def _add_marks(
    message: pb.PredictSingleResponse | pb.Prediction | pb.PredictStreamingResponse, judged: JudgedImage
) -> None:
    if judged.moderation.person_detected is not None:
        message.person_detected = judged.moderation.person_detected
    if judged.moderation.review_recommended:
        message.review_recommended = True


def _add_hosting(
    message: pb.PredictSingleResponse | pb.Prediction | pb.PredictStreamingResponse,
    hosted: HostedImage | None,
    url: str | None,
) -> None:
    message.image_hosted = hosted is not None
    if hosted is not None:
        message.image_id = hosted.image_id
        if url is not None:
            message.image_url = url


def _texts_or_null(texts: Sequence[str]) -> Value:
    if not texts:
        return Value(null_value=NULL_VALUE)
    return Value(list_value=ListValue(values=[Value(string_value=text) for text in texts]))
