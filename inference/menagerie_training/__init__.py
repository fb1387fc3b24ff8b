"""What makes the embedded models, and measures them; no part of what runs."""
