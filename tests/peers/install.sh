#!/usr/bin/env bash
# Installs the peers of the end-to-end tests; README.md beside this file describes them.
#
#   tests/peers/install.sh                 every peer of the tests
#   tests/peers/install.sh python          the Python environment of openai_client.py
#   tests/peers/install.sh collector       an OpenTelemetry Collector
#   tests/peers/install.sh faketime        the library libfaketime, on Debian and Ubuntu
#   tests/peers/install.sh postgres        a PostgreSQL server: the system's, else its package of Debian or Ubuntu
#   tests/peers/install.sh engines         a Python environment with the engines of sql_engine.py
#   tests/peers/install.sh clickhouse-18   the server of ClickHouse 18.16, on Debian and Ubuntu
#   tests/peers/install.sh lake            readers of Parquet, and a server with the interface of S3, in Python
#   tests/peers/install.sh azurite         Microsoft's emulator of Azure Blob Storage
#   tests/peers/install.sh rsyslog         the program rsyslog, on Debian and Ubuntu
#   tests/peers/install.sh nats            a NATS server, a Go module
#   tests/peers/install.sh kafka           Apache Kafka's jars, resolved with Maven; they run on a JDK 17 or newer
#   tests/peers/install.sh openai-v2       a Python environment that only `cargo xtask bench-calls` uses
#
# The peers are installed in .peers/ at the repository root (git-ignored), or in
# SPANLEDGER_PEERS_DIR. The stamp of a peer is a hash of its pinned versions. A peer
# whose stamp is up to date is not installed again.
set -euo pipefail

builder_version=v0.162.0
nats_version=v2.12.1
azurite_version=3.37.0

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(cd -- "$here/../.." && pwd)
peers=${SPANLEDGER_PEERS_DIR:-$root/.peers}

say() { printf 'peers: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
need() { command -v "$1" >/dev/null || die "$1 is needed to install the peer '$2' and was not found"; }

# Prints a hash of standard input.
digest() {
    if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -d' ' -f1
}

# is_current PEER DIGEST EXECUTABLE
is_current() {
    [[ -x $3 && -f $peers/stamps/$1 && $(<"$peers/stamps/$1") == "$2" ]]
}

# install_venv PEER FOLDER REQUIREMENTS
install_venv() {
    need python3 "$1"
    local peer=$1 venv=$peers/$2 requirements=$here/$3 stamp started=$SECONDS
    stamp=$({ python3 --version; cat "$requirements"; } | digest)
    if is_current "$peer" "$stamp" "$venv/bin/python"; then
        say "$peer is up to date"
        return
    fi
    say "installing $peer"
    rm -rf "$venv" "$peers/stamps/$peer"
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        --requirement "$requirements"
    printf '%s\n' "$stamp" >"$peers/stamps/$peer"
    say "$peer installed in $((SECONDS - started)) s"
}

install_python() {
    install_venv python venv requirements.txt
}

install_openai-v2() {
    install_venv openai-v2 venv-openai-v2 requirements-openai-v2.txt
}

install_engines() {
    install_venv engines venv-engines requirements-engines.txt
}

# Prints the newest folder with the programs of a PostgreSQL server, or nothing.
find_postgres() {
    local folder
    for folder in $(ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql@*/bin 2>/dev/null |
        sort -Vr) "$(pg_config --bindir 2>/dev/null || true)" "$(dirname "$(command -v initdb || echo /none/x)")"; do
        if [[ -x $folder/initdb && -x $folder/postgres && -x $folder/psql ]]; then
            printf '%s\n' "$folder"
            return
        fi
    done
}

# Links the programs of the system's PostgreSQL. The tests start servers of their own with them, in temporary folders.
install_postgres() {
    local found
    found=$(find_postgres)
    if [[ -z $found ]] && command -v apt-get >/dev/null; then
        local as_root=()
        if ((EUID != 0)); then
            sudo -n true 2>/dev/null || die "no PostgreSQL was found: install it with \`sudo apt-get install postgresql\`"
            as_root=(sudo -n)
        fi
        say "installing the system's package postgresql"
        # The package would otherwise make and start a server of its own, which no test uses.
        if [[ ! -e /etc/postgresql-common/createcluster.conf ]]; then
            "${as_root[@]}" mkdir -p /etc/postgresql-common
            echo 'create_main_cluster = false' |
                "${as_root[@]}" tee /etc/postgresql-common/createcluster.conf >/dev/null
        fi
        install_package() {
            "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install --quiet --quiet --yes \
                --no-install-recommends postgresql
        }
        # A new machine may have no list of packages yet.
        { install_package || { "${as_root[@]}" apt-get update --quiet --quiet && install_package; }; } >&2 ||
            die "\`apt-get install postgresql\` failed"
        found=$(find_postgres)
    fi
    [[ -n $found ]] || die "no PostgreSQL was found: install version 12 or newer, with initdb, postgres and psql"
    ln -sfn "$found" "$peers/postgres"
    say "postgres is $("$found/postgres" --version)"
}

# Unpacks the system's package `clickhouse-server` and the libraries that it needs, without installing them.
install_clickhouse-18() {
    local folder=$peers/clickhouse-18 build=$peers/clickhouse-18.build stamp package
    if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null ||
        ! { apt-cache show clickhouse-server 2>/dev/null || { apt-get update && apt-cache show clickhouse-server; }; } \
            >/dev/null 2>&1; then
        say "clickhouse-18 is left out: it is taken from a package of Debian or Ubuntu"
        return
    fi
    stamp=$({ dpkg --print-architecture; cat /etc/os-release; } | digest)
    if is_current clickhouse-18 "$stamp" "$folder/usr/sbin/clickhouse-server"; then
        say "clickhouse-18 is up to date"
        return
    fi
    rm -rf "$build" "$folder" "$peers/stamps/clickhouse-18"
    mkdir -p "$build/partial" "$folder"
    # The lock of the system is not needed, because nothing is installed.
    apt-get install --quiet --yes --no-install-recommends --download-only \
        --option "Dir::Cache::archives=$build" --option Debug::NoLocking=1 clickhouse-server >"$build/log" 2>&1 ||
        die "the packages of clickhouse-server cannot be downloaded; the message of apt-get is in $build/log"
    for package in "$build"/*.deb; do
        dpkg-deb --extract "$package" "$folder"
    done
    rm -rf "$build"
    printf '%s\n' "$stamp" >"$peers/stamps/clickhouse-18"
    say "clickhouse-18 installed"
}

install_lake() {
    install_venv lake venv-lake requirements-lake.txt
}

install_azurite() {
    need npm azurite
    local folder=$peers/azurite stamp
    stamp=$({ echo "$azurite_version"; node --version; } | digest)
    if is_current azurite "$stamp" "$folder/node_modules/.bin/azurite-blob"; then
        say "azurite is up to date"
        return
    fi
    say "installing azurite"
    rm -rf "$folder" "$peers/stamps/azurite"
    mkdir -p "$folder"
    npm install --prefix "$folder" --no-audit --no-fund --silent "azurite@$azurite_version" >&2
    printf '%s\n' "$stamp" >"$peers/stamps/azurite"
    say "azurite installed"
}

install_collector() {
    need go collector
    local binary=$peers/bin/otelcol build=$peers/build stamp started=$SECONDS
    stamp=$({ echo "$builder_version"; go version; cat "$here/collector-builder.yaml"; } | digest)
    if is_current collector "$stamp" "$binary"; then
        say "collector is up to date"
        return
    fi
    say "building collector (a few minutes when nothing is cached)"
    rm -rf "$build" "$peers/stamps/collector"
    mkdir -p "$build" "$peers/bin"
    # A Go workspace in a parent folder must not change the build.
    export GOWORK=off
    GOBIN=$peers/bin go install "go.opentelemetry.io/collector/cmd/builder@$builder_version"
    # The builder runs `go mod tidy`, which also resolves modules that only the tests of
    # the components import. With -e, such a module may be missing. The compiler still
    # reports a missing module that the binary needs.
    (cd "$build" && GOFLAGS="$(go env GOFLAGS) -e" "$peers/bin/builder" \
        --config "$here/collector-builder.yaml") >"$build/log" 2>&1 || {
        tail -n 40 "$build/log" >&2
        die "the collector did not build; the whole log is $build/log"
    }
    mv "$build/otelcol/otelcol" "$binary"
    "$binary" --version >/dev/null
    rm -rf "$build"
    printf '%s\n' "$stamp" >"$peers/stamps/collector"
    say "collector installed in $((SECONDS - started)) s"
}

install_nats() {
    need go nats
    local binary=$peers/bin/nats-server stamp started=$SECONDS
    stamp=$({ echo "$nats_version"; go version; } | digest)
    if is_current nats "$stamp" "$binary"; then
        say "nats is up to date"
        return
    fi
    say "building nats-server"
    rm -f "$peers/stamps/nats"
    mkdir -p "$peers/bin"
    # A Go workspace in a parent folder must not change the build.
    GOWORK=off GOBIN=$peers/bin go install "github.com/nats-io/nats-server/v2@$nats_version"
    "$binary" --version >/dev/null
    printf '%s\n' "$stamp" >"$peers/stamps/nats"
    say "nats installed in $((SECONDS - started)) s"
}

install_kafka() {
    need java kafka
    need mvn kafka
    local folder=$peers/kafka stamp started=$SECONDS
    stamp=$(digest <"$here/kafka-pom.xml")
    if is_current kafka "$stamp" "$folder/libs"; then
        say "kafka is up to date"
        return
    fi
    say "installing kafka"
    rm -rf "$folder" "$peers/stamps/kafka"
    mkdir -p "$folder"
    mvn --quiet --batch-mode --file "$here/kafka-pom.xml" dependency:copy-dependencies \
        "-DoutputDirectory=$folder/libs" >&2
    printf '%s\n' "$stamp" >"$peers/stamps/kafka"
    say "kafka installed in $((SECONDS - started)) s"
}

# Unpacks the library of the system's package `libfaketime` without installing the package.
install_faketime() {
    local library=$peers/faketime/libfaketime.so.1 build=$peers/faketime.build stamp
    if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
        say "faketime is left out: it is taken from a package of Debian or Ubuntu"
        return
    fi
    stamp=$({ dpkg --print-architecture; cat /etc/os-release; } | digest)
    if is_current faketime "$stamp" "$library"; then
        say "faketime is up to date"
        return
    fi
    rm -rf "$build" "$peers/faketime" "$peers/stamps/faketime"
    mkdir -p "$build" "$peers/faketime"
    # A new machine may have no list of packages yet.
    (cd "$build" && { apt-get download libfaketime || { apt-get update && apt-get download libfaketime; }; } \
        >log 2>&1) || die "\`apt-get download libfaketime\` failed; its message is in $build/log"
    dpkg-deb --extract "$build"/libfaketime_*.deb "$build"
    find "$build" -name libfaketime.so.1 -exec install -m 755 {} "$library" \;
    rm -rf "$build"
    printf '%s\n' "$stamp" >"$peers/stamps/faketime"
    say "faketime installed"
}

# Unpacks the system's package `rsyslog` and its libraries without installing them.
install_rsyslog() {
    local folder=$peers/rsyslog stamp
    local packages=(rsyslog libestr0 libfastjson4 liblognorm5)
    if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
        say "rsyslog is left out: it is taken from a package of Debian or Ubuntu"
        return
    fi
    stamp=$({ dpkg --print-architecture; cat /etc/os-release; } | digest)
    if is_current rsyslog "$stamp" "$folder/usr/sbin/rsyslogd"; then
        say "rsyslog is up to date"
        return
    fi
    rm -rf "$folder" "$folder.build" "$peers/stamps/rsyslog"
    mkdir -p "$folder" "$folder.build"
    # A new machine may have no list of packages yet.
    (cd "$folder.build" &&
        { apt-get download "${packages[@]}" || { apt-get update && apt-get download "${packages[@]}"; }; } \
            >log 2>&1) || die "\`apt-get download ${packages[*]}\` failed; its message is in $folder.build/log"
    local package
    for package in "$folder.build"/*.deb; do
        dpkg-deb --extract "$package" "$folder"
    done
    rm -rf "$folder.build"
    printf '%s\n' "$stamp" >"$peers/stamps/rsyslog"
    say "rsyslog installed"
}

(($#)) || set -- python collector faketime postgres engines clickhouse-18 lake azurite rsyslog nats kafka
for peer in "$@"; do
    case $peer in
    python | collector | faketime | postgres | engines | clickhouse-18 | lake | azurite | rsyslog | nats | kafka | openai-v2) ;;
    *) die "unknown peer '$peer': python, collector, faketime, postgres, engines, clickhouse-18, lake, azurite, rsyslog, nats, kafka, openai-v2, or nothing for all but the last" ;;
    esac
done

mkdir -p "$peers/stamps"
peers=$(cd -- "$peers" && pwd)
# If two runs start at the same time, one installs and the other waits.
if command -v flock >/dev/null; then
    exec 9>"$peers/.lock"
    flock 9
fi
for peer in "$@"; do
    "install_$peer"
done
