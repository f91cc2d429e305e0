"""Lessons: found, checked and played; what a learner did is kept, and asked again when it is due."""
