"""Strings and files that broke others' programs: from each door of this one to each exit."""
