"""Makes the gate and the embedder of the whales API, and measures them."""
