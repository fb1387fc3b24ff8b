"""menagerie.nsfw.v1: moderation of images."""
