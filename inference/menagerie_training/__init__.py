"""Makes the embedded models, and measures them: not part of the runtime wheel."""
