"""Converts results of the muzzle domain and the catalogue to messages of menagerie.muzzle.v1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from menagerie.muzzle.v1 import muzzle_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from menagerie_inference.domains.muzzle import (
        Comparison,
        CriterionResult,
        Decision,
        DomainCheck,
        EncodedImage,
        Identification,
        ReferenceVsProbe,
        Verification,
    )
    from menagerie_server.apis.muzzle.catalogue import Animal


def verification_message(verification: Verification, versions: Mapping[int, str]) -> pb.PredictResponse:
    """Return a verification as a message.

    Args:
        versions: of the loaded models; those that took part are named.
    """
    details = pb.PredictDetails(
        models=[_model(slot, comparison) for slot, comparison in verification.models.items()],
        ensemble=_ensemble(verification.ensemble),
        reference_mutual_similarity=verification.reference_mutual_similarity,
        model_versions={slot: versions[slot] for slot in verification.models},
    )
    return pb.PredictResponse(
        decision=_decision(verification.decision),
        summary=pb.PredictSummary(criteria=_criteria(verification.criteria)),
        details=details,
    )


def encoded_message(images: Iterable[EncodedImage]) -> pb.EncodeResponse:
    """Return the codes of photos as a message."""
    return pb.EncodeResponse(images=[_encoded(image) for image in images])


def domain_check_message(check: DomainCheck) -> pb.DomainCheckResponse:
    """Return the domain check of a photo as a message."""
    return pb.DomainCheckResponse(
        decision=_domain_decision(check),
        embedding_variance=check.embedding_variance,
        cross_model_consistency=check.cross_model_consistency,
        summary=pb.DomainCheckSummary(criteria=_criteria(check.criteria)),
    )


def identification_message(
    identification: Identification, animals: Sequence[Animal], most: int
) -> pb.IdentifyAnimalResponse:
    """Return the animals that a photo may show as a message.

    Args:
        animals: those that the candidates refer to by index.
        most: the most candidates to return.
    """
    return pb.IdentifyAnimalResponse(
        decision=_decision(identification.decision),
        criteria=_criteria(identification.criteria),
        candidates=[_candidate(one, animals) for one in identification.candidates[:most]],
    )


def animal_message(animal: Animal, notice: str = "") -> pb.Animal:
    """Return an enrolled animal as a message."""
    message = pb.Animal(
        animal_id=animal.animal_id,
        name=animal.name,
        reference_mutual_similarity=animal.reference_mutual_similarity,
        model_versions=animal.model_versions,
        notice=notice,
    )
    message.create_time.FromDatetime(animal.created)
    return message


def animals_message(animals: Iterable[Animal], token: str) -> pb.ListAnimalsResponse:
    """Return a page of animals as a message."""
    return pb.ListAnimalsResponse(
        animals=[animal_message(animal) for animal in animals], next_page_token=token
    )


def _decision(decision: Decision) -> pb.Decision:
    return pb.Decision(
        verdict=decision.verdict,
        score=decision.score,
        confidence=decision.confidence,
        confidence_label=decision.confidence_label,
        explanation=decision.explanation,
        review_recommended=decision.review_recommended,
    )


def _criteria(criteria: Iterable[CriterionResult]) -> list[pb.CriterionResult]:
    return [
        pb.CriterionResult(
            metric=one.metric,
            value=one.value,
            threshold=one.threshold,
            passed=one.passed,
            description=one.description,
        )
        for one in criteria
    ]


def _model(slot: int, comparison: Comparison) -> pb.ModelVerification:
    return pb.ModelVerification(
        model_id=slot,
        template_vs_probe_cosine=comparison.template_vs_probe_cosine,
        template_vs_probe_distance=comparison.template_vs_probe_distance,
        reference_vs_probe=[_reference(one) for one in comparison.reference_vs_probe],
        mean_cosine=comparison.mean_cosine,
        min_cosine=comparison.min_cosine,
        max_cosine=comparison.max_cosine,
    )


def _reference(one: ReferenceVsProbe) -> pb.ReferenceVsProbe:
    return pb.ReferenceVsProbe(
        reference_index=one.reference_index,
        cosine_similarity=one.cosine_similarity,
        euclidean_distance=one.euclidean_distance,
    )


def _ensemble(comparison: Comparison) -> pb.EnsembleSummary:
    return pb.EnsembleSummary(
        template_vs_probe_cosine=comparison.template_vs_probe_cosine,
        template_vs_probe_distance=comparison.template_vs_probe_distance,
        mean_cosine=comparison.mean_cosine,
        min_cosine=comparison.min_cosine,
        max_cosine=comparison.max_cosine,
    )


def _encoded(image: EncodedImage) -> pb.EncodedImageResult:
    codes = [
        pb.ModelEmbeddingCode(model_id=slot, code=code.tolist()) for slot, code in image.model_codes.items()
    ]
    return pb.EncodedImageResult(
        index=image.index,
        filename=image.filename,
        decision=_domain_decision(image.domain),
        domain_summary=pb.DomainCheckSummary(criteria=_criteria(image.domain.criteria)),
        model_codes=codes,
        ensemble_code=image.ensemble_code.tolist(),
    )


def _domain_decision(check: DomainCheck) -> pb.DomainCheckDecision:
    return pb.DomainCheckDecision(verdict=check.verdict, explanation=check.explanation)


def _candidate(one: ReferenceVsProbe, animals: Sequence[Animal]) -> pb.Candidate:
    return pb.Candidate(
        animal=animal_message(animals[one.reference_index]),
        cosine_similarity=one.cosine_similarity,
        euclidean_distance=one.euclidean_distance,
    )
