"""Maps roles to the models of a profile."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from menagerie_inference.errors import ManifestError
from menagerie_inference.manifest import load_manifest

if TYPE_CHECKING:
    from menagerie_inference.manifest import Manifest

EMBEDDED: Final = "embedded"
"""The profile of the models that come with this package."""

_PACKAGED: Final = Path(__file__).parent / "models"
_MANIFEST: Final = "manifest.toml"


class Registry:
    """The models of one profile: a folder that holds `<role>/manifest.toml` for each role that it fills."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def for_profile(cls, profile: str) -> Self:
        """Open "embedded", or the folder of that path.

        Raises:
            ManifestError: there is no such folder.
        """
        folder = _PACKAGED if profile == EMBEDDED else Path(profile).expanduser()
        if not folder.is_dir():
            raise ManifestError(f"the profile {profile!r} is neither {EMBEDDED!r} nor a folder")
        return cls(folder)

    def roles(self) -> tuple[str, ...]:
        """Name the roles that the profile fills, sorted."""
        return tuple(sorted(manifest.parent.name for manifest in self._folder.glob(f"*/{_MANIFEST}")))

    def manifest_for(self, role: str) -> Manifest:
        """Read and verify the manifest of a role's model; blocks, as it hashes the files.

        Raises:
            ManifestError: the profile does not fill the role, the manifest is another role's, or as
                `load_manifest()`.
        """
        path = self._folder / role / _MANIFEST
        if not path.is_file():
            raise ManifestError(f"{path}: there is no model for the role {role!r}")
        manifest = load_manifest(path)
        if manifest.role != role:
            raise ManifestError(f"{path}: the model is for the role {manifest.role!r}, not {role!r}")
        return manifest
