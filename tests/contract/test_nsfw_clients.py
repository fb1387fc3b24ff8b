"""The document's own client lines, in Python and in JavaScript, against the API's port."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.support import images

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.server import RunningServer

PYTHON_SINGLE = """
import requests

url = "http://localhost:8000/predict/single"
files = {"file": open("example_image.jpg", "rb")}

response = requests.post(url, files=files)
result = response.json()
print(result)
"""

PYTHON_MULTI = """
import requests

url = "http://localhost:8000/predict/multi"
files = [
    ("files", open("image1.jpg", "rb")),
    ("files", open("image2.png", "rb")),
    ("files", open("image3.webp", "rb"))
]

response = requests.post(url, files=files)
result = response.json()
print(result)

# Close files
for _, file in files:
    file.close()
"""

PYTHON_URLS = """
import requests
import json

url = "http://localhost:8000/predict/urls"
headers = {"Content-Type": "application/json"}
data = {
    "urls": [
        "https://images.invalid/image1.jpg",
        "https://images.invalid/image2.png",
    ]
}

response = requests.post(url, headers=headers, data=json.dumps(data))
result = response.json()
print(result)
"""

PYTHON_STREAMING = """
import requests
import json

files = [
    ('files', ('image1.jpg', open('image1.jpg', 'rb'), 'image/jpeg')),
    ('files', ('image2.png', open('image2.png', 'rb'), 'image/png')),
    ('files', ('image3.avif', open('image3.avif', 'rb'), 'image/avif'))
]

response = requests.post(
    'http://localhost:8000/predict/streaming',
    files=files,
    stream=True
)

for line in response.iter_lines():
    if line:
        # Remove 'data: ' prefix if present
        data_line = line.decode('utf-8')
        if data_line.startswith('data: '):
            data_line = data_line[6:]

        result = json.loads(data_line)
        print(f"Processed: {result}")

# Close file handles
for _, (_, file_obj, _) in files:
    file_obj.close()
"""

# A browser's elements, which Node does not have: each has files that were chosen.
JAVASCRIPT_ELEMENTS = """
const fs = require('fs');
const chosen = (...names) => ({ files: names.map((name) => new File([fs.readFileSync(name)], name)) });
const fileInput = chosen('image1.jpg');
const elements = {
  multipleFiles: chosen('image1.jpg', 'image2.png', 'image3.webp'),
  file1: chosen('image1.jpg'), file2: chosen('image2.png'), file3: chosen('image3.avif'),
};
const document = { getElementById: (id) => elements[id] };
"""

JAVASCRIPT_SINGLE = """
const formData = new FormData();
formData.append('file', fileInput.files[0]);

fetch('http://localhost:8000/predict/single', {
  method: 'POST',
  body: formData
})
.then(response => response.json())
.then(data => console.log(data));
"""

JAVASCRIPT_MULTI = """
const formData = new FormData();
const fileInputs = document.getElementById('multipleFiles').files;

for (let i = 0; i < fileInputs.length; i++) {
    formData.append('files', fileInputs[i]);
}

fetch('http://localhost:8000/predict/multi', {
  method: 'POST',
  body: formData
})
.then(response => response.json())
.then(data => console.log(data));
"""

JAVASCRIPT_STREAMING = """
const formData = new FormData();
formData.append('files', document.getElementById('file1').files[0]);
formData.append('files', document.getElementById('file2').files[0]);
formData.append('files', document.getElementById('file3').files[0]);

fetch('http://localhost:8000/predict/streaming', {
  method: 'POST',
  body: formData
})
.then(response => {
  const reader = response.body.getReader();
  const decoder = new TextDecoder();

  function readStream() {
    return reader.read().then(({ done, value }) => {
      if (done) return;

      const text = decoder.decode(value);
      const lines = text.split('\\n');

      lines.forEach(line => {
        if (line.startsWith('data: ')) {
          const jsonData = line.substring(6);
          const result = JSON.parse(jsonData);
          console.log('Streaming result:', result);
        }
      });

      return readStream();
    });
  }

  return readStream();
});
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files that the document's clients send."""
    for name in ("example_image.jpg", "image1.jpg", "image2.png", "image3.webp", "image3.avif"):
        kind = "JPEG" if name.endswith("jpg") else name.rpartition(".")[2].upper()
        (tmp_path / name).write_bytes(images.encode(images.drawing(), kind))
    return tmp_path


def run(folder: Path, server: RunningServer, lines: str, *command: str) -> str:
    """Run a client whose only change is the port, and return what it prints."""
    text = lines.replace("localhost:8000", f"localhost:{server.ports['nsfw']}")
    done = subprocess.run(
        [*command, text], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        pytest.param(PYTHON_SINGLE, ["example_image.jpg"], id="single"),
        pytest.param(PYTHON_MULTI, ["image1.jpg", "image2.png", "image3.webp"], id="multi"),
        pytest.param(PYTHON_URLS, ["image1.jpg", "image2.png"], id="urls"),
        pytest.param(PYTHON_STREAMING, ["image1.jpg", "image2.png", "image3.avif"], id="streaming"),
    ],
)
def test_the_documents_python(folder: Path, server: RunningServer, lines: str, names: list[str]) -> None:
    printed = run(folder, server, lines, sys.executable, "-c")
    for name in names:
        assert name in printed
    assert ("Error for" in printed) == (lines is PYTHON_URLS)
    assert "total_" in printed
    if lines is PYTHON_STREAMING:
        assert printed.count("Processed: ") == 4


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
@pytest.mark.parametrize(
    ("lines", "names"),
    [
        pytest.param(JAVASCRIPT_SINGLE, ["image1.jpg"], id="single"),
        pytest.param(JAVASCRIPT_MULTI, ["image1.jpg", "image2.png", "image3.webp"], id="multi"),
        pytest.param(JAVASCRIPT_STREAMING, ["image1.jpg", "image2.png", "image3.avif"], id="streaming"),
    ],
)
def test_the_documents_javascript(folder: Path, server: RunningServer, lines: str, names: list[str]) -> None:
    printed = run(folder, server, JAVASCRIPT_ELEMENTS + lines, "node", "-e")
    for name in names:
        assert name in printed
    assert "total_time_ms" in printed
    if lines is JAVASCRIPT_STREAMING:
        assert printed.count("Streaming result:") == 4
        assert "type: 'summary'" in printed


def test_the_documents_curl(folder: Path, server: RunningServer) -> None:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    address = f"http://localhost:{server.ports['nsfw']}/predict/streaming"
    form = ["-F", "files=@image1.jpg", "-F", "files=@image2.png", "-F", "files=@image3.avif"]
    done = subprocess.run(
        [
            "curl",
            "-sS",
            "-X",
            "POST",
            address,
            "-H",
            "Content-Type: multipart/form-data",
            *form,
            "--no-buffer",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    lines = [json.loads(line[6:]) for line in done.stdout.splitlines() if line]
    assert [line.get("image") for line in lines] == ["image1.jpg", "image2.png", "image3.avif", None]
