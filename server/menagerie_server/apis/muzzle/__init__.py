"""menagerie.muzzle.v1: verification and identification of cattle by their muzzles."""
