"""The muzzle API with some of its models, and with none."""

from __future__ import annotations

from base64 import b64encode
from contextlib import contextmanager
from typing import TYPE_CHECKING

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.support.embedders import photo_of, write_embedders
from tests.support.folders import open_folder
from tests.support.redness import write_model
from tests.support.server import running_server

from menagerie.muzzle.v1 import muzzle_pb2 as pb
from menagerie.muzzle.v1 import muzzle_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.support.server import RunningServer

SLOTS = (60, 62, 64)
NOT_LOADED = (503, {"detail": "Models not loaded"})
PHOTOS = [b64encode(photo_of(1, shot)).decode() for shot in range(4)]
VERIFICATION = {"reference_photos": PHOTOS[:3], "probe_photo": PHOTOS[3]}


@contextmanager
def server_without(lost: Iterable[int], failing: Iterable[int] = ()) -> Iterator[RunningServer]:
    """Run a server whose files of the `lost` slots are not what they should be; another API's are."""
    with open_folder() as folder:
        profile = write_embedders(folder / "models", failing=failing)
        (profile / "coral").mkdir()
        write_model(profile / "coral")
        for slot in lost:
            (profile / f"muzzle-{slot}" / "model.onnx").write_bytes(b"no model")
        with running_server(folder / "data", MENAGERIE_PROFILE=str(profile)) as server:
            yield server


def post(server: RunningServer, path: str, body: object) -> httpx.Response:
    return httpx.post(server.api("muzzle") + path, json=body, timeout=30)


def answer(response: httpx.Response) -> tuple[int, object]:
    return response.status_code, response.json()


def health(server: RunningServer) -> object:
    return httpx.get(f"{server.api('muzzle')}/health").json()


def is_serving(server: RunningServer) -> bool:
    with grpc.insecure_channel(server.worker()) as channel:
        request = health_pb2.HealthCheckRequest(service="menagerie.muzzle.v1.MuzzleService")
        status = health_pb2_grpc.HealthStub(channel).Check(request).status  # type: ignore[attr-defined]
        return bool(status == health_pb2.HealthCheckResponse.SERVING)


def test_two_models_verify_and_do_not_encode() -> None:
    with server_without([62]) as server:
        assert health(server) == {"status": "degraded", "models_loaded": [60, 64]}
        assert is_serving(server)
        ready = httpx.get(f"{server.front_door}/readyz").json()
        assert ready == {"status": "degraded", "apis": ["coral", "muzzle"], "failed_models": ["muzzle-62"]}
        verified = post(server, "/predict", VERIFICATION)
        details = verified.json()["details"]
        assert [one["model_id"] for one in details["models"]] == [60, 64]
        assert details["model_versions"].keys() == {"60", "64"}
        assert verified.json()["decision"]["verdict"] == "MATCH"
        assert verified.headers["x-model-version"] == "drawn-muzzle-60-1.0+drawn-muzzle-64-1.0"
        checked = post(server, "/domain-check", {"photo": PHOTOS[0]})
        assert checked.json()["decision"]["verdict"] == "VALID_MUZZLE"
        refused = [
            post(server, "/encode", {"photos": PHOTOS}),
            post(server, "/animals", {"reference_photos": PHOTOS[:3]}),
            post(server, "/animals:identify", {"probe_photo": PHOTOS[0]}),
        ]
        assert [answer(one) for one in refused] == [NOT_LOADED] * 3
        assert refused[0].headers["retry-after"] == "5"
        assert httpx.get(f"{server.api('muzzle')}/animals").json()["animals"] == []


@pytest.mark.parametrize(("lost", "loaded"), [([60, 62], [64]), (SLOTS, [])])
def test_fewer_models_answer_nothing(lost: Iterable[int], loaded: list[int]) -> None:
    with server_without(lost) as server:
        assert health(server) == {"status": "degraded", "models_loaded": loaded}
        assert not is_serving(server)
        refused = [
            post(server, "/predict", VERIFICATION),
            post(server, "/encode", {"photos": PHOTOS}),
            post(server, "/domain-check", {"photo": PHOTOS[0]}),
            post(server, "/animals:identify", {"probe_photo": PHOTOS[0]}),
            httpx.post(
                f"{server.api('muzzle')}/domain-check/file",
                files={"photo": ("a.jpg", photo_of(1))},
                timeout=30,
            ),
        ]
        assert [answer(one) for one in refused] == [NOT_LOADED] * 5
        with grpc.insecure_channel(server.worker()) as channel:
            stub = muzzle_pb2_grpc.MuzzleServiceStub(channel)
            with pytest.raises(grpc.RpcError) as error:
                stub.DomainCheck(pb.DomainCheckRequest(photo=photo_of(1)))
        assert (error.value.code(), error.value.details()) == (
            grpc.StatusCode.UNAVAILABLE,
            NOT_LOADED[1]["detail"],
        )


def test_a_model_that_fails_while_it_runs() -> None:
    """The other two verify; what takes three fails, and the caller is not told of what."""
    with server_without([], failing=[64]) as server:
        assert health(server) == {"status": "ok", "models_loaded": [60, 62, 64]}
        details = post(server, "/predict", VERIFICATION).json()["details"]
        assert [one["model_id"] for one in details["models"]] == [60, 62]
        assert details["model_versions"].keys() == {"60", "62"}
        failed = post(server, "/encode", {"photos": PHOTOS})
        assert answer(failed) == (500, {"detail": "Internal processing error"})
        assert "a model failed, and the others answer" in server.log.read_text()


def test_a_model_of_another_shape_takes_down_its_slot_alone() -> None:
    with open_folder() as folder:
        profile = write_embedders(folder / "models", [60, 64])
        write_embedders(profile, [62], dimensions=64)
        with running_server(folder / "data", MENAGERIE_PROFILE=str(profile)) as server:
            assert health(server) == {"status": "degraded", "models_loaded": [60, 64]}
            assert post(server, "/predict", VERIFICATION).status_code == 200
            assert "has one output, [batch, 128], not" in server.log.read_text()
