#!/bin/sh
# The programs that the tests drive and no package brings: a Chromium, and the proxies that the doctor is tried through.
# Installed where that takes no password, as root by apt-get; elsewhere it is said what is missing. Ends with 1 when there
# is no Chromium, or when something could not be installed.
set -eu
PATH=$PATH:/usr/sbin:/usr/local/sbin

there() { command -v "$1" >/dev/null; }

proxies_missing() {
    for name in nginx caddy haproxy; do there $name || printf ' %s' $name; done
}

lean_browser() { # starts sooner than a whole one
    [ -n "${STAMPGATE_TEST_CHROMIUM-}" ] || there chromium-headless-shell
}

browser() {
    lean_browser || there chromium || there chromium-browser || there google-chrome || there google-chrome-stable
}

install() { DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "$@" >/dev/null; }

proxies=$(proxies_missing)
wanted=$proxies
browser || wanted="$wanted chromium-headless-shell fonts-liberation"
may_install=""
if [ "$(id -u)" = 0 ] && there apt-get; then may_install=yes; fi

if [ -n "$may_install" ]; then
    if [ -n "$wanted" ]; then
        echo "make test: installing$wanted for the tests"
        apt-get update -qq || true # one source that is away does not matter when the others have them
        # In one go, which takes less time; a distribution that lacks one of them still gives the others.
        # shellcheck disable=SC2086 # names, one by one
        install $wanted 2>/dev/null || for name in $wanted; do install "$name" || true; done
    fi
    if browser; then lean_browser || install chromium-headless-shell fonts-liberation 2>/dev/null || true; fi
    browser || install chromium || true
    for name in $proxies; do # the packages' own services stay off
        if there "$name" && [ -e /run/systemd/system ]; then systemctl disable --now --quiet "$name" || true; fi
    done
fi

if ! browser; then
    echo "make test: the browser tests need Chromium: install it, or name one in STAMPGATE_TEST_CHROMIUM" >&2
    exit 1
fi
proxies=$(proxies_missing)
if [ -n "$proxies" ] && [ -n "$may_install" ]; then
    echo "make test:$proxies could not be installed for the tests of proxies" >&2
    exit 1
elif [ -n "$proxies" ]; then
    echo "make test: without$proxies the tests of these proxies are skipped" >&2
fi
