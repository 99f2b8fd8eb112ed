"""What executes the splits of a plan; plugins like any stranger's."""
