"""The errors that only the species API has."""

from __future__ import annotations

from typing import Final

import grpc

from menagerie_envoy.apis import SPECIES
from menagerie_server.errors import (
    GeminiFailed,
    GeminiKeyMissing,
    GeminiOverloaded,
    WireError,
    api_errors,
)

NO_KEY: Final = "GOOGLE_API_KEY environment variable is required for Gemini endpoint."
FAILED: Final = "Gemini API call failed. Check server logs for details."
OVERLOADED: Final = "Gemini model overloaded. Please try again later."

_Code = grpc.StatusCode

ERRORS: Final = api_errors(
    SPECIES,
    {
        GeminiKeyMissing: WireError(_Code.FAILED_PRECONDITION, "GEMINI_KEY_MISSING", 500, NO_KEY),
        GeminiFailed: WireError(_Code.UNAVAILABLE, "GEMINI_FAILED", 502, FAILED),
        GeminiOverloaded: WireError(
            _Code.UNAVAILABLE, "GEMINI_OVERLOADED", 503, OVERLOADED, retry_seconds=30
        ),
    },
)
