raise AssertionError('a name that begins with _ is no plugin')
