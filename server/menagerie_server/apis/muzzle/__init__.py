"""menagerie.muzzle.v1: verification of cattle by their muzzles."""
