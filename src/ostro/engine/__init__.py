"""Requests into tokens: loading, planning, sampling, and the generate API."""
