"""What made the embedded species model: `taxonomy` first, then `export`."""
