"""Not a plugin: what the two plugins beside it share."""

SEEN = []


def tidy(text):
    SEEN.append(text)
    return " ".join(text.split())
