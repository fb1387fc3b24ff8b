"""The nginx configuration, run by a real nginx in front of a real server."""

from __future__ import annotations

import json
import re
import shutil
import socket
import ssl
import subprocess
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import httpx
import pytest
import trustme
from tests.support.folders import open_folder
from tests.support.missing import miss
from tests.support.photos import FOLDER, PHOTOS
from tests.support.server import free_ports, running_server

from menagerie.species.v1.species_pb2 import UploadFileRequest
from menagerie.species.v1.species_pb2_grpc import SpeciesServiceStub
from menagerie.type.v1.image_pb2 import Image
from menagerie_server.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.server import RunningServer

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "nginx.conf"
NAME = "menagerie.example.org"
REQUESTS = 20
"""The species API's rate limit here."""

MAIN = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/menagerie.conf;
}}
"""


@dataclass(frozen=True)
class Proxy:
    """A running nginx."""

    https: int
    http: int
    authority: trustme.CA

    @property
    def certificate(self) -> bytes:
        """The certificate that callers trust."""
        return self.authority.cert_pem.bytes()

    def client(self) -> httpx.Client:
        """Return a client that trusts it, and calls it by its name."""
        context = ssl.create_default_context(cadata=self.certificate.decode())
        transport = httpx.HTTPTransport(verify=context)
        headers = {"Host": NAME}
        url = f"https://localhost:{self.https}"
        return httpx.Client(base_url=url, transport=transport, headers=headers, timeout=30)


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with (
        open_folder() as folder,
        running_server(folder / "data", MENAGERIE_SPECIES_RATE_LIMIT_REQUESTS=str(REQUESTS)) as server,
    ):
        yield server


@pytest.fixture(scope="module")
def proxy(server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    program = shutil.which("nginx", path="/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin")
    if program is None:
        miss("nginx is not installed")
    folder = tmp_path_factory.mktemp("nginx")
    https, http = free_ports(2)
    authority = trustme.CA()
    certificate = authority.issue_cert(NAME, "localhost")
    certificate.private_key_pem.write_to_path(folder / "menagerie.key")
    certificate.private_key_and_cert_chain_pem.write_to_path(folder / "menagerie.pem")
    (folder / "menagerie.conf").write_text(here(server, folder, https, http), encoding="utf-8")
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder), encoding="utf-8")
    with _running([program, "-p", str(folder), "-c", str(folder / "nginx.conf")], https):
        yield Proxy(https, http, authority)


def here(server: RunningServer, folder: Path, https: int, http: int) -> str:
    """Put the ports and files of this test in place of those that the configuration names."""
    text = CONFIGURATION.read_text(encoding="utf-8")
    for name, port in server.ports.items():
        default = Settings.model_fields[name].default.port
        assert text.count(f"127.0.0.1:{default}") == 2
        text = text.replace(f"127.0.0.1:{default}", f"127.0.0.1:{port}")
    for written, used in {
        "listen 443 ": f"listen 127.0.0.1:{https} ",
        "listen 80;": f"listen 127.0.0.1:{http};",
        "/etc/ssl/certs/": f"{folder}/",
        "/etc/ssl/private/": f"{folder}/",
    }.items():
        assert written in text
        text = text.replace(written, used)
    return text


@contextmanager
def _running(command: list[str], port: int) -> Iterator[None]:
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            while not _answers(port):
                assert process.poll() is None, process.stderr.read() if process.stderr else ""
                time.sleep(0.05)
            yield
        finally:
            process.terminate()


def _answers(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_photograph_is_identified(proxy: Proxy) -> None:
    photo = PHOTOS.an_animal()
    with proxy.client() as client:
        files = {"file": (photo.name, photo.content, "image/jpeg")}
        reply = client.post("/species/uploadfile/", files=files)
    assert reply.status_code == 200
    assert reply.json()["filename"] == photo.name


def test_grpc_reaches_the_api(proxy: Proxy) -> None:
    credentials = grpc.ssl_channel_credentials(proxy.certificate)
    named = [("grpc.ssl_target_name_override", NAME)]
    with grpc.secure_channel(f"localhost:{proxy.https}", credentials, named) as channel:
        request = UploadFileRequest(image=Image(content=PHOTOS.an_animal().content))
        answer = SpeciesServiceStub(channel).UploadFile(request, timeout=30)
    assert answer.speciesnet.prediction_score > 0


def test_events_arrive_until_the_job_has_ended(proxy: Proxy) -> None:
    photo = (FOLDER / "swallowtail_seaperch.jpg").read_bytes()
    with proxy.client() as client:
        job = client.post("/coral/V1/api/classify", files={"image": ("a.jpg", photo)}).json()["job_id"]
        events = client.get(f"/coral/V1/api/status/{job}/events").text
    *statuses, end = [json.loads(one) for one in re.findall(r"^data: (.+)$", events, re.MULTILINE)]
    assert statuses[-1]["status"] == "completed"
    assert (end, "event: end" in events) == ({}, True)


def test_an_upload_over_the_limit_gets_the_documented_answer(proxy: Proxy) -> None:
    with proxy.client() as client:
        reply = client.post(
            "/species/uploadfile/", files={"file": ("a.jpg", b"\0" * 5_400_000, "image/jpeg")}
        )
    assert (reply.status_code, reply.json()) == (400, {"detail": "File too large. Maximum size is 5MB."})


def test_plain_http_is_redirected(proxy: Proxy) -> None:
    reply = httpx.get(f"http://localhost:{proxy.http}/species/", headers={"Host": NAME})
    assert (reply.status_code, reply.headers["location"]) == (301, f"https://{NAME}/species/")


def test_a_caller_cannot_forge_another_address_to_escape_its_rate_limit(proxy: Proxy) -> None:
    with proxy.client() as client:
        forged = ({"X-Forwarded-For": f"203.0.113.{number}"} for number in range(REQUESTS + 1))
        replies = [client.get("/species/", headers=headers) for headers in forged]
    refused = replies[-1]
    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= 60
