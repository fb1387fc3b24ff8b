"""The recipe of the gate and the embedder of the whales API, and their evaluation."""
