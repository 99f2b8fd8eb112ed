"""The words that count."""

RULES = {"good": 1, "bad": -1}
