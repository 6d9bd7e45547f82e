"""Rendered papers, kept in pieces: between them are the holes that each reader's mail fills."""

# NUL cannot occur in words from outside: `plain` and `safe_url` let no control character through.
RANK = "\0rank\0"
VOTING = "\0voting\0"
