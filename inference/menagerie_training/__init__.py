"""The recipes of the embedded models, and their evaluation; not part of the runtime wheel."""

from pathlib import Path
from typing import Final

import menagerie_inference

EMBEDDED_MODELS: Final = Path(menagerie_inference.__file__).parent / "models"
"""The folder that the recipes write to: one folder for each role, with the model and its manifest."""
