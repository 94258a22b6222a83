"""Rendered photos of heads whose shape is known: drawn, painted, lit and rendered once, then cached."""
