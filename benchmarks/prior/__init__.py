"""Carries ICT-FaceKit's statistics of identity over to the default head's base mesh."""
