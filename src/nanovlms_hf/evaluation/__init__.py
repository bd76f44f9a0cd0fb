"""Evaluation: what a model says, scored against what is true, with controls on every number."""
