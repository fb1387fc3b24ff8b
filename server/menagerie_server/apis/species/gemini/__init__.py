"""Asks Gemini about several images, and groups the images by what it says."""
