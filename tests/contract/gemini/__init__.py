"""POST /gemini/analyze/ as the species document describes it. A package, as its tests share one server."""
