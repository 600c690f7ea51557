# What the scripts share that use a Docker engine.

# What they make in it has this name, or one that begins with it.
project=original-dst

engine_answers() { timeout 20 docker info >/dev/null 2>&1; }

has_image() { docker image inspect "$1" >/dev/null 2>&1; }

# The Compose that is there: Docker's plugin, or the older program.
compose() {
    local command=(docker-compose)
    ! docker compose version >/dev/null 2>&1 || command=(docker compose)
    "${command[@]}" --project-name "$project" --file integration/compose/compose.yaml "$@"
}

# Waits until no other run uses the engine: the names and addresses are fixed.
await_turn() {
    exec {turn}>"/run/lock/$project-engine"
    flock "$turn"
}
