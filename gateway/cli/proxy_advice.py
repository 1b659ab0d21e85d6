"""What to change in a proxy, by what is wrong: the setting's name for the three proxies of deploy/."""

from __future__ import annotations

from typing import Final

ADVICE: Final[dict[str, dict[str, str]]] = {
    "target": {
        "nginx": "proxy_pass without a path or slash behind the upstream's name; no rewrite",
        "Caddy": "no uri, rewrite or handle_path before reverse_proxy",
        "HAProxy": "no http-request set-path, replace-path or normalize-uri",
    },
    "host": {
        "nginx": "proxy_set_header Host $http_host",
        "Caddy": "no header_up Host",
        "HAProxy": "no http-request set-header Host",
    },
    "fields": {
        "nginx": "no proxy_set_header or more_clear_input_headers for these fields",
        "Caddy": "no header_up or request_header for these fields",
        "HAProxy": "no http-request set-header or del-header for these fields",
    },
    "large": {
        "nginx": "large_client_header_buffers 4 8k",
        "Caddy": "no smaller max_header_size (servers)",
        "HAProxy": "tune.bufsize 16384",
    },
    "body": {
        "nginx": "client_max_body_size 128k; no sub_filter or body rewriting",
        "Caddy": "request_body max_size 128KB",
        "HAProxy": "no filter or Lua that touches bodies",
    },
    "version": {
        "nginx": 'proxy_http_version 1.1 and proxy_set_header Connection ""',
        "Caddy": "transport http without versions",
        "HAProxy": "mode http",
    },
    "client": {
        "nginx": "proxy_set_header X-Forwarded-For $remote_addr",
        "Caddy": "the default of reverse_proxy; trusted_proxies only for proxies before it",
        "HAProxy": "http-request set-header X-Forwarded-For %[src]",
    },
    "robbed": {
        "nginx": 'proxy_set_header Connection ""',
        "Caddy": "the default of reverse_proxy",
        "HAProxy": "http-request set-header X-Forwarded-For %[src]",
    },
    "answer": {
        "nginx": "proxy_intercept_errors off; no proxy_hide_header or add_header for these fields",
        "Caddy": "no handle_response or header_down",
        "HAProxy": "no http-response set-header, del-header or return",
    },
    "cache": {"nginx": "proxy_cache off", "Caddy": "no cache plugin", "HAProxy": "no http-request cache-use"},
    "compression": {"nginx": "gzip off", "Caddy": "no encode", "HAProxy": "no filter compression"},
    "time": {
        "nginx": "proxy_read_timeout 30s",
        "Caddy": "transport http without response_header_timeout",
        "HAProxy": "timeout server 30s",
    },
    "retry": {
        "nginx": "proxy_next_upstream off",
        "Caddy": "lb_retries 0, no lb_try_duration; transport http { keepalive off }",
        "HAProxy": "retry-on conn-failure",
    },
}

SOFTWARE: Final = {"nginx": "nginx", "openresty": "nginx", "caddy": "Caddy", "haproxy": "HAProxy"}


def advice(topic: str, server: str) -> str:
    """Return what to set; for one proxy alone where the answer's Server field says which it is."""
    settings = ADVICE[topic]
    known = next((name for mark, name in SOFTWARE.items() if mark in server.lower()), None)
    if known is not None:
        return f"{known}: {settings[known]}"
    return " | ".join(f"{name}: {text}" for name, text in settings.items())
