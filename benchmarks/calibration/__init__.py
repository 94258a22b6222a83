"""What the landmark network sees of heads whose shape is known, learned from cheap painted renders."""
