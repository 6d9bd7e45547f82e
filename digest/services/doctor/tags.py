"""Lists of tag=value as DKIM and DMARC records have them (RFC 6376 §3.2)."""


def tags(record: str) -> dict[str, str]:
    """The tags by their names in lower case; white space within a value goes, as keys are folded.

    The first of two equal ones counts; what is no tag is left out.
    """
    found: dict[str, str] = {}
    for part in record.split(";"):
        name, sign, value = part.partition("=")
        if sign:
            found.setdefault(name.strip().lower(), "".join(value.split()))
    return found
