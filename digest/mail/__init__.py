"""Mail: from a digest to the wire. render → message → transport."""
