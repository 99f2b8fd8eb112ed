"""The processors that come with plugline; plugins like any stranger's."""
