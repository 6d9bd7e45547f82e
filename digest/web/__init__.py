"""The web pages and the endpoints that programs call: HTTP ↔ services, and no rules.

`server` puts it together: `routes` lists what there is, `guards` stand before every request,
`desk` holds what the endpoints work with, `pages` makes HTML of templates.
"""
