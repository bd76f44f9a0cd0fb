"""Data: the picture world, texts about it, and the reader that checks texts against it."""
