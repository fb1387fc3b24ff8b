"""What Gemini is asked about one image."""

from __future__ import annotations

NAMELESS = "upload"


def image_prompt(prompt: str, index: int, filename: str) -> str:
    """Return the caller's prompt, with the image's place among the others from 1, and its file's name."""
    return f"{prompt}\nImage index: {index + 1}\nFilename: {filename or NAMELESS}"
