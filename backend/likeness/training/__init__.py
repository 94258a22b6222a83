"""Training of the networks that the project makes itself: from a head model to weights."""
