"""The verbs of the service: each calls rules and rooms in order; no rules of its own."""
