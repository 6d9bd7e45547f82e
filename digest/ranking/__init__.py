"""Relevance and selection: pure functions, plain values and arrays in and out."""
