"""Thousands of damaged model files: none may crash or hang, and none with another network may be accepted.

See README.md in this folder.
"""
