"""Restoring folders of pictures: options, plan, the restorer of one picture, the batch."""
