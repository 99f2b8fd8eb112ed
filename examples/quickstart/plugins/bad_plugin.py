VERSION = "1.0"
# transform() and describe() are missing on purpose: the host skips this file and says why.
