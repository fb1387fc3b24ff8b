"""Asks Gemini about several images, and groups the images by its answers."""
