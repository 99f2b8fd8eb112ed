# Sourced by the jobs that install other programs: environments, made quickly where uv reaches the package index, else by pip.

# make_uv PYTHON FOLDER: have uv at hand in an environment of its own.
make_uv() {
    "$1" -m venv "$2"
    "$2/bin/pip" install --quiet --disable-pip-version-check uv
    uv="$2/bin/uv"
}

# install_into PYTHON ARGUMENT...: what "pip install" does.
install_into() {
    local into=$1
    shift
    # pip may have been told of certificates and indexes that uv knows nothing of. Neither writes bytecode: some of what is
    # installed is copied as plugins, in which it is looked for.
    "$uv" pip install --quiet --python "$into" "$@" 2>/dev/null ||
        "$into" -m pip install --quiet --disable-pip-version-check --no-compile "$@"
}
