"""What pages know of runs, images and ground truth: cached reading and arithmetic. Nothing here draws."""
