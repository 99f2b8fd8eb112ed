"""A new generation in place of the old: compare, try, commit or roll back; watching files."""
