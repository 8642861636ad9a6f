"""How a controller without keys joins its centre by a short code: what both sides share. docs/PAIRING.md is exact enough to write it anew."""
