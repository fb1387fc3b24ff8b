"""What makes the embedded models, and what measures them; it is not part of the runtime wheel."""

from pathlib import Path
from typing import Final

import menagerie_inference

EMBEDDED_MODELS: Final = Path(menagerie_inference.__file__).parent / "models"
"""Where the recipes write: a folder for each role, with the model and its manifest."""
