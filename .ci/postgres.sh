# Sourced by `.ci/run`: a PostgreSQL server for the tests, which lasts as long as its folder is needed.

# What controls the server, once it is there.
postgres_ctl=()

# start_postgres <folder>: starts a server whose files are in that new folder, and exports TEST_POSTGRES, the URL of its database.
start_postgres() {
  local folder=$1 bin ctl port
  bin=$(postgres_binaries) || return
  mkdir -p "$folder" && chmod 711 "$(dirname "$folder")" || return
  # The server refuses to be root.
  local as_postgres=()
  if [ "$(id -u)" -eq 0 ]; then
    chown postgres "$folder" || return
    as_postgres=(runuser -u postgres --)
  fi
  (
    cd "$folder" || exit
    "${as_postgres[@]}" "$bin/initdb" --pgdata=data --username=millrace --auth=trust --encoding=UTF8 --no-locale --no-sync
  ) >"$folder.log" 2>&1 || { cat "$folder.log"; return 1; }
  ctl=("${as_postgres[@]}" "$bin/pg_ctl" --pgdata="$folder/data")
  for _ in 1 2 3 4 5; do
    port=$((20000 + RANDOM)) # it may be in use
    "${ctl[@]}" --silent --wait --log="$folder/log" \
      --options="-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off" start || continue
    postgres_ctl=("${ctl[@]}")
    export TEST_POSTGRES="postgres://millrace@127.0.0.1:$port/postgres"
    return
  done
  cat "$folder/log"
  return 1
}

stop_postgres() {
  [ ${#postgres_ctl[@]} -eq 0 ] || "${postgres_ctl[@]}" --silent --mode=immediate stop
}

# Where the programs of the newest PostgreSQL are; it is installed when there is none, which takes Debian and root.
postgres_binaries() {
  installed_postgres && return
  DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends postgresql >&2 ||
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends postgresql; } >&2
  installed_postgres
}

installed_postgres() {
  local found
  found=$(command -v initdb || find /usr/lib/postgresql -path '*/bin/initdb' 2>/dev/null | sort -V | tail -n 1)
  [ -n "$found" ] && dirname "$(readlink -f "$found")"
}
