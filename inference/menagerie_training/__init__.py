"""What makes and measures the embedded models; not part of what runs them."""
