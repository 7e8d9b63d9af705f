#!/bin/sh
# Replaces containers by new ones of the images at hand, one after the other and without a pause: the gateway finds a new one while
# the old one still serves. If a new one does not become healthy, the old ones stay.
# usage: .docker/replace.sh [SERVICE…], by default contents, media, script and worker. COMPOSE is another word for `docker compose`.
set -eu
compose=${COMPOSE:-docker compose}

# Waits two minutes at most.
healthy() {
  for _ in $(seq 240); do
    [ "$(docker inspect --format '{{.State.Health.Status}}' "$1")" != healthy ] || return 0
    sleep .5
  done
  return 1
}

for service in ${*:-contents media script worker}; do
  # One that has ended, of an earlier run for example, would be started again in place of a new one.
  $compose rm --force "$service" >/dev/null
  old=$($compose ps -q "$service")
  count=$(echo "$old" | wc -w)
  for each in $old; do
    known=$($compose ps -aq "$service")
    # One at a time: the gateway passes over two that do not listen yet, not over more.
    $compose up -d --no-build --no-deps --no-recreate --scale "$service=$((count + 1))" "$service"
    new=$($compose ps -aq "$service" | grep -vxF "$known")
    if ! healthy "$new"; then
      echo "The new container of $service is not healthy, so the old ones stay. Its last lines:" >&2
      docker logs --tail 20 "$new" >&2
      docker rm --force "$new" >/dev/null
      exit 1
    fi
    # The gateway looks names up every 2 s.
    sleep 3
    docker stop "$each" >/dev/null
    docker rm "$each" >/dev/null
  done
  echo "$service: $count replaced"
done
