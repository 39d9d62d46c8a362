"""totesys on a laptop: its schema, a generator of its rows, a loader of its files, and its daily business."""
