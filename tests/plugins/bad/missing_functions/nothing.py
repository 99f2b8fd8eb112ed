VERSION = "1.0"
# no transform(), no describe()
