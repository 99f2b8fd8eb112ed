"""Only the loaded module shows that transform is no function."""

transform = dict(answer=42)["answer"]


def describe():
    return "computed: is a number after all"
