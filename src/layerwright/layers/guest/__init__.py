"""Programs that run inside images, under the oldest Python we promise, with nothing of ours."""
