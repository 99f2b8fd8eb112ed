raise AssertionError('a name that begins with a dot is no plugin')
