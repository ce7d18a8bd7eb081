"""Trying to break what answers to anybody."""
