# What the scripts about kernels share. Everything of theirs is kept in this directory.
kernels=$PWD/target/kernels

# The line of a kernel in the list.
known() { awk -v name="$1" '$1 == name' scripts/kernels.d/known; }

# Sets `apt`: options with which apt knows nothing of this host, but one suite for one architecture,
# and keeps what it learns in a directory.
private_apt() {
    local directory=$1 architecture=$2 suite=$3 archive=debian
    [[ $suite != *-security ]] || archive=debian-security
    mkdir -p "$directory"/{lists/partial,cache/archives/partial}
    echo "deb http://deb.debian.org/$archive $suite main" >"$directory/sources"
    apt=(
        -o "APT::Architecture=$architecture" -o "APT::Architectures=$architecture"
        -o APT::Sandbox::User=root -o Acquire::Languages=none
        -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false
        -o "Dir::Etc::SourceList=$directory/sources" -o Dir::Etc::SourceParts=/dev/null
        -o "Dir::State::Lists=$directory/lists" -o Dir::State::status=/dev/null
        -o "Dir::Cache=$directory/cache"
    )
    quietly apt-get "${apt[@]}" update
}
