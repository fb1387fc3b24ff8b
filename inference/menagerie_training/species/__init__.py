"""The recipe of the embedded species model: first `taxonomy`, then `export`."""
